"""Prompts that one replica computes together, or in many steps, and how long others wait.

Prompts that wait before a step begins share it, because a step reads the weights whatever it
computes. Charged a whole step each, ten short prompts on a large model would seem to take ten times
as long as one; they take hardly longer. How much is sent to a replica is still counted in whole
steps: otherwise, in an overload, more requests would wait in the engine, out of reach.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from cato_backend.prediction.service import ServiceModel
from cato_backend.scheduling.replica import ReplicaView

_SAMPLE = 8192
"""Uncached tokens of the prompt by which the time for each token is measured."""

_OVERDUE = 0.2
"""Of the time that a prompt has taken already: how much longer it takes at least."""


class _Prefill(NamedTuple):
    tokens: int
    """Uncached ones, at the dispatch."""
    context: int
    """Tokens of the whole prompt."""
    begins_at: float
    seconds: float
    is_long: bool


class LongPrefills:
    """The prefills of one replica that have no token yet. Times on the scheduler's clock.

    An engine with a `long_prefill_token_threshold` computes a chunk of each prompt in every step,
    beside others; one without computes nothing else beside a long one.
    """

    def __init__(self, service: ServiceModel, longer_than_s: float) -> None:
        self._longer_than_s = longer_than_s
        self._prefills: dict[str, _Prefill] = {}
        self.long = 0
        """How many of them are long."""
        self.tokens = 0
        """Uncached tokens of all of them."""
        self.believe(service)

    def __len__(self) -> int:
        return len(self._prefills)

    def believe(self, service: ServiceModel) -> None:
        """Record that the step law is this one now."""
        self._service = service
        token_s = service.prompt_s(0, 0, _SAMPLE, 0) / _SAMPLE
        self.bound = int(self._longer_than_s / token_s) if token_s else _SAMPLE
        """Uncached tokens above which a prompt is long here."""
        self._threshold = service.limits.long_prefill_token_threshold
        self._listed = self._threshold or self.bound
        """Prompts of more uncached tokens are kept here."""

    def add(
        self, request_id: str, tokens: int, cached: int, begins_at: float, seconds: float
    ) -> bool:
        """Add a prompt that is sent, and return whether it is computed beside others."""
        if tokens <= self._listed:
            return False
        is_long = tokens > self.bound
        self._prefills[request_id] = _Prefill(tokens, tokens + cached, begins_at, seconds, is_long)
        self.tokens += tokens
        self.long += is_long
        return bool(self._threshold)

    def remove(self, request_id: str) -> None:
        """Its first token has come, or it was given up; nothing happens where it is not here."""
        prefill = self._prefills.pop(request_id, None)
        if prefill is not None:
            self.tokens -= prefill.tokens
            self.long -= prefill.is_long

    # -- what others wait for ------------------------------------------------------------------

    @property
    def beside(self) -> int:
        """How many of them share their steps with others."""
        return len(self._prefills) if self._threshold else 0

    @property
    def would_block(self) -> bool:
        """Whether the engine computes nothing else beside a long prompt."""
        return not self._threshold

    @property
    def is_blocking(self) -> bool:
        """Whether it computes nothing else now."""
        return self.long > 0 and not self._threshold

    def blocking_s(self, now: float) -> float:
        """Return seconds until the engine computes something else."""
        if self._threshold:
            return 0.0
        return sum(_left_s(prefill, now) for prefill in self._prefills.values())

    def added_s(self, decoding: int, kv_tokens: int) -> float:
        """Return seconds by which their chunks make each step longer that is shared with others."""
        count, law = self.beside, self._service.law
        if not count:
            return 0.0
        chunks = min(count * self._threshold, self._service.limits.max_num_batched_tokens)
        context = sum(p.context for p in self._prefills.values()) / 2 / count
        with_chunks = law.seconds(decoding + chunks, decoding + count, kv_tokens, chunks * context)
        return with_chunks - law.seconds(decoding, decoding, kv_tokens)


def _left_s(prefill: _Prefill, now: float) -> float:
    taken_s = max(0.0, now - prefill.begins_at)
    return max(prefill.seconds - taken_s, _OVERDUE * taken_s)


class PromptBatch:
    """The prompts that the replica computes next. Times on the scheduler's clock."""

    def __init__(self, view: ReplicaView, service: ServiceModel) -> None:
        self._view = view
        self._service = service
        self._begins_at = self._last_step_at = -math.inf
        self._tokens = self._prompts = 0
        self._context_s = 0.0
        self.ends_at = -math.inf
        """When all of them are computed."""

    def believe(self, service: ServiceModel) -> None:
        """Record that the step law is this one now."""
        self._service = service

    def is_open(self, now: float) -> bool:
        """Return whether a prompt that is sent now is computed with them."""
        return now < self._last_step_at

    def begin(self, tokens: int, prompts: int, at: float) -> None:
        """Begin another batch, with its number of pending prompts and of their uncached tokens."""
        self._begins_at, self._tokens, self._prompts = at, tokens, prompts
        self._context_s = 0.0
        self._schedule()

    def join(self, uncached: int, cached: int, now: float) -> None:
        """Add a prompt that was sent: to these if they are open, else to the next."""
        if not self.is_open(now):
            self.begin(0, 0, max(self.ends_at, now))
        self._context_s += self._service.context_s(uncached, cached)
        self._tokens += uncached
        self._prompts += 1
        self._schedule()

    def ends_with(self, uncached: int, cached: int) -> float:
        """Return when it would end with one more prompt."""
        compute_s = self._compute_s(self._tokens + uncached, self._prompts + 1)
        context_s = self._context_s + self._service.context_s(uncached, cached)
        return self._begins_at + compute_s + context_s

    def _schedule(self) -> None:
        """Note when it ends, and when its last step begins: what comes later is not in it."""
        compute_s = self._compute_s(self._tokens, self._prompts) if self._prompts else 0.0
        seconds = compute_s + self._context_s
        steps = self._service.steps(self._view.decoding, max(1, self._tokens))
        self._last_step_at = self._begins_at + seconds * (steps - 1) / steps
        self.ends_at = self._begins_at + seconds

    def _compute_s(self, tokens: int, prompts: int) -> float:
        view = self._view
        return self._service.backlog_s(view.decoding, view.kv_tokens, tokens, prompts)
