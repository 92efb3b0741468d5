"""`cato/status`, and the counts of one session that it tells of: requests, answers, suggestions."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, cast

from cato_lsp.backend.link import State

LATENCIES_KEPT = 20
IN_TROUBLE = 3
"""Requests that fail in a row before the status reports it."""


@dataclass(slots=True)
class Usage:
    """Requests to the backend since the session began, and those that were not needed."""

    asked: int = 0
    """Requests to the backend."""
    from_cache: int = 0
    """Answers to the editor that were known already."""
    from_stream: int = 0
    """Answers from a stream that was on its way already."""
    warmed: int = 0
    told: int = 0
    """Answers whose engine told how many tokens it computed; the next three are of these."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    @property
    def prefix_hit_rate(self) -> float | None:
        """The share of prompt tokens that the engine had computed before; None while unknown."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else None

    @property
    def tokens_saved(self) -> int | None:
        """Prompt tokens of what was not asked, at the mean of what was; None while unknown."""
        reused = self.from_cache + self.from_stream
        return round(reused * self.prompt_tokens / self.told) if self.told else None

    def tell(self, usage: dict[str, Any]) -> None:
        """Record an OpenAI usage object, where it says how much was cached."""
        details = usage.get("prompt_tokens_details")
        told = cast("dict[str, Any]", details) if isinstance(details, dict) else {}
        prompt, cached = usage.get("prompt_tokens"), told.get("cached_tokens")
        completion = usage.get("completion_tokens")
        if isinstance(prompt, int) and isinstance(cached, int):
            self.told += 1
            self.prompt_tokens += prompt
            self.cached_tokens += cached
            self.completion_tokens += completion if isinstance(completion, int) else 0

    def body(self) -> dict[str, int]:
        """Return the counts as they are stored."""
        return asdict(self)


@dataclass(slots=True)
class SuggestionCounts:
    """Suggestions since the session began."""

    shown: int = 0
    taken: int = 0
    """In whole or in part."""
    accepted_chars: int = 0
    """Characters that the person took, and did not have to type."""

    @property
    def acceptance(self) -> float | None:
        """The share of shown suggestions that were accepted, in whole or in part; None before."""
        return min(self.taken / self.shown, 1.0) if self.shown else None


class AnswerTimes:
    """Recent latencies of the backend, and its load by its own report."""

    def __init__(self) -> None:
        self.load: float | None = None
        """From 0 to 1; None where it was not reported."""
        self.last_request_id: str | None = None
        """Id of the latest completion that has ended, with whatever outcome."""
        self._failed = 0
        self._failure = ""
        self._latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._ttfts_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)

    @property
    def latency_ms(self) -> float | None:
        """The median time from the person's key to the suggestion; None while unknown."""
        return _median(self._latencies_ms)

    @property
    def ttft_ms(self) -> float | None:
        """The median time from the request to the first token; None while unknown."""
        return _median(self._ttfts_ms)

    @property
    def trouble(self) -> str:
        """Why the latest requests failed, one after the other; empty if one did not."""
        return self._failure if self._failed >= IN_TROUBLE else ""

    def failed(self, failure: str) -> None:
        """Record a request that failed."""
        self._failed += 1
        self._failure = failure

    def recovered(self) -> None:
        """Forget what failed: requests are answered, or go to another backend."""
        self._failed = 0

    def began(self, ttft_ms: float) -> None:
        """Record how long after the request an answer began."""
        self.recovered()
        self._ttfts_ms.append(ttft_ms)

    def answered(self, latency_ms: float, load: float | None) -> None:
        """Record an answer."""
        self._latencies_ms.append(latency_ms)
        self.load = load


@dataclass(frozen=True, slots=True)
class Status:
    """`cato/status`, as a value."""

    state: State
    message: str
    backend_url: str | None
    latency_ms: float | None
    """The median of the last answers; None while no backend answers, as the load is."""
    load: float | None
    log_path: str | None
    acceptance: float | None = None
    """The share of this session's shown suggestions that were accepted, in whole or in part."""
    tokens_saved: int | None = None
    """Prompt tokens that this session did not have to ask for."""
    accepted_characters: int = 0
    """Characters that this session's suggestions spared the person."""
    model: str | None = None
    """Which one answers."""
    model_parameters: int | None = None
    """How large it is, where that is known."""
    model_advice: str = ""
    """How to get a better one."""
    last_request_id: str | None = None
    """Id of the latest completion that has ended, for `cato why`."""

    def body(self) -> dict[str, Any]:
        """Return the status as the protocol spells it."""
        return {
            "state": self.state.value,
            "message": self.message,
            "backendUrl": self.backend_url,
            "latencyMs": self.latency_ms,
            "load": self.load,
            "logPath": self.log_path,
            "acceptance": self.acceptance,
            "tokensSaved": self.tokens_saved,
            "acceptedCharacters": self.accepted_characters,
            "model": self.model,
            "modelParameters": self.model_parameters,
            "modelAdvice": self.model_advice,
            "lastRequestId": self.last_request_id,
        }

    def told_apart_by(self) -> tuple[object, ...]:
        """Return what makes a status worth a notification; the figures change with every answer."""
        return (self.state, self.message, self.backend_url, self.log_path, self.model)


def _median(values: Collection[float]) -> float | None:
    # The statistics module brings decimal and fractions along: 30 ms of a start.
    return sorted(values)[len(values) // 2] if values else None
