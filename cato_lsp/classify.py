"""From an action and the syntax around the cursor to a task, its target and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cato_backend.wire.headers import Task
from cato_lsp.syntax.context import Rest, SyntaxContext


class Action(StrEnum):
    """What the person did in the editor."""

    AUTOMATIC_COMPLETION = "automatic completion"
    INVOKED_COMPLETION = "invoked completion"
    SUMMARIZE = "summarize"
    TRANSLATE = "translate"


class Extent(StrEnum):
    """Where an answer ends."""

    LINE = "line"
    BLOCK = "block"
    WHOLE = "whole"
    """With the model's own end."""


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets of the settings, in milliseconds."""

    completion_ttft_ms: int = 250
    generation_ttft_ms: int = 1000
    summarization_e2e_ms: int = 3000
    translation_e2e_ms: int = 15000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is asked for: tokens, where the answer ends, stop strings for the engine."""

    max_tokens: int
    extent: Extent
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """A task with one target, TTFT or E2E, and its limits."""

    task: Task
    limits: Limits
    ttft_ms: int | None = None
    e2e_ms: int | None = None


def classify(action: Action, context: SyntaxContext, targets: Targets) -> Assignment:
    """The task that `action` means here."""
    if action is Action.SUMMARIZE:
        limits = Limits(400, Extent.WHOLE)
        return Assignment(Task.SUMMARIZATION, limits, e2e_ms=targets.summarization_e2e_ms)
    if action is Action.TRANSLATE:
        limits = Limits(2048, Extent.WHOLE)
        return Assignment(Task.TRANSLATION, limits, e2e_ms=targets.translation_e2e_ms)
    if context.empty_body or context.wish is not None:
        limits = Limits(512, Extent.BLOCK)
        return Assignment(Task.GENERATION, limits, ttft_ms=targets.generation_ttft_ms)
    extent = Extent.LINE if context.rest is Rest.TEXT else Extent.BLOCK
    limits = Limits(64 if extent is Extent.LINE else 192, extent)
    return Assignment(Task.COMPLETION, limits, ttft_ms=targets.completion_ttft_ms)


def worth_asking(action: Action, context: SyntaxContext) -> bool:
    """Whether a completion could help here; one that the person invoked always could."""
    return action is not Action.AUTOMATIC_COMPLETION or not _inside_word(context)


def _inside_word(context: SyntaxContext) -> bool:
    return context.after[:1].isalnum() or context.after[:1] == "_"
