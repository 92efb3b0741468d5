"""The SLO targets of a person's settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Targets:
    """In milliseconds, counted from the keystroke or command."""

    completion_ttft_ms: int = 250
    generation_ttft_ms: int = 1000
    summarization_e2e_ms: int = 3000
    translation_e2e_ms: int = 15000
