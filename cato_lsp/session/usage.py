"""What one session asked of the backend, and what it did not have to ask."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast


@dataclass(slots=True)
class Usage:
    """Counts since the session began."""

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
        """Takes note of an OpenAI usage object, where it says how much was cached."""
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
        """As it is stored."""
        return asdict(self)
