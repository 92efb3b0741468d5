"""The SLO targets of a person's settings."""

from __future__ import annotations

from dataclasses import dataclass

TRANSLATION_BASE_MS, TRANSLATION_TOKEN_MS = 2000, 30


@dataclass(frozen=True, slots=True)
class Targets:
    """In milliseconds, counted from the keystroke or command."""

    completion_ttft_ms: int = 250
    generation_ttft_ms: int = 1000
    summarization_e2e_ms: int = 3000
    translation_e2e_ms: int = 15000
    """At most: a short translation is due sooner."""

    def translation_ms(self, expected_tokens: int) -> int:
        """When a translation of so many tokens is due."""
        own = TRANSLATION_BASE_MS + TRANSLATION_TOKEN_MS * expected_tokens
        return min(self.translation_e2e_ms, own)
