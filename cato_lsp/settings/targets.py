"""The targets of the classes, as settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from cato_backend.wire.headers import Task
from cato_lsp.settings.declaration import setting
from cato_lsp.settings.lookup import integer

_TARGETS = {
    "completion_ttft_ms": Task.COMPLETION,
    "generation_ttft_ms": Task.GENERATION,
    "summarization_e2e_ms": Task.SUMMARIZATION,
    "translation_e2e_ms": Task.TRANSLATION,
}

TRANSLATION_BASE_MS, TRANSLATION_TOKEN_MS = 2000, 30
FILE_SUMMARY_MS = 8000
"""When a summary of several functions and classes is due."""
_target = integer(1, 600_000)


@dataclass(frozen=True, slots=True)
class Targets:
    """SLO targets in milliseconds, counted from the keystroke or command."""

    completion_ttft_ms: int = field(
        default=250, metadata=setting("tasks.completion.ttftMs", _target)
    )
    generation_ttft_ms: int = field(
        default=1000, metadata=setting("tasks.generation.ttftMs", _target)
    )
    summarization_e2e_ms: int = field(
        default=3000, metadata=setting("tasks.summarization.e2eMs", _target)
    )
    translation_e2e_ms: int = field(
        default=15_000, metadata=setting("tasks.translation.e2eMs", _target)
    )
    """At most: a short translation is due sooner."""
    summary_times: float = 1.0
    translation_times: float = 1.0
    """How many times as long the backend's hardware needs as the defaults allow; not settings."""

    def on_hardware(self, needed_ms: Mapping[str, float]) -> Targets:
        """Return the targets on a backend that needs so many milliseconds, by class.

        Defaults become as long where they are shorter. A target that the person has set stays.
        """
        plain = Targets()
        needed = {
            name: max(getattr(plain, name), round(needed_ms.get(task, 0.0)))
            for name, task in _TARGETS.items()
        }
        longer = {
            name: target_ms
            for name, target_ms in needed.items()
            if getattr(self, name) == getattr(plain, name)
        }
        return replace(
            self,
            **longer,
            summary_times=needed["summarization_e2e_ms"] / plain.summarization_e2e_ms,
            translation_times=needed["translation_e2e_ms"] / plain.translation_e2e_ms,
        )

    def summarization_ms(self, units: int) -> int:
        """Return when a summary of so many functions and classes is due."""
        own = self.summarization_e2e_ms
        return own if units == 1 else max(own, round(FILE_SUMMARY_MS * self.summary_times))

    def translation_ms(self, expected_tokens: int) -> int:
        """Return when a translation of so many tokens is due."""
        own = TRANSLATION_BASE_MS + TRANSLATION_TOKEN_MS * expected_tokens
        return min(self.translation_e2e_ms, round(own * self.translation_times))
