"""Classifies an action by the syntax around the cursor: a task, its target and its limits.

The backend is told how many tokens an answer probably has, so that it does not have to read a
length out of a deadline. The figures for completions are medians of real Python code, cut at random
places and read as far as the language server would (`python -m bench.output_estimates`); what is
asked for tells much more of the length than the sizes of other functions in the same file, which
were tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cato_backend.wire.estimates import translation_tokens
from cato_backend.wire.headers import Task
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax.context import Rest, SyntaxContext
from cato_lsp.syntax.nearby import width_of

LINE_TOKENS = 6
"""The rest of a statement, and the one or two tokens that tell its end."""
OPENED_BLOCK_TOKENS = 26
"""Behind the header of a loop or a condition."""
BLOCK_TOKENS = 50
"""The rest of a block that is being written."""
BODY_TOKENS = 52
"""A function's body, or what a comment asks for."""

_SUMMARY_BASE, _SUMMARY_SHARE, _SUMMARY_MOST = 40, 1 / 20, 160
"""Some sentences, more of them for a longer source."""
_TRANSLATION_MOST = 2048


class Action(StrEnum):
    """Actions of a person in the editor."""

    AUTOMATIC_COMPLETION = "automatic completion"
    INVOKED_COMPLETION = "invoked completion"
    SUMMARIZE = "summarize"
    TRANSLATE = "translate"


class Extent(StrEnum):
    """Extent of an answer."""

    LINE = "line"
    BLOCK = "block"
    BELIEVED = "believed"
    """Where doubt ends it; the end of the block does not."""
    WHOLE = "whole"
    """With the model's own end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an answer: tokens, where it ends, stop strings for the engine.

    `expected_tokens`: how long the answer probably is; None where that follows from its source.
    """

    max_tokens: int
    extent: Extent
    expected_tokens: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """A task with one target, TTFT or E2E, and its limits."""

    task: Task
    limits: Limits
    ttft_ms: int | None = None
    e2e_ms: int | None = None


_END_OF_LINE = ("\n",)
_IN_TEXT = Limits(48, Extent.LINE, LINE_TOKENS, _END_OF_LINE)
"""Inside a string or a comment."""
_BEFORE_TEXT = Limits(32, Extent.LINE, LINE_TOKENS, _END_OF_LINE)
"""Between what stands on the line already."""
_STATEMENT = Limits(64, Extent.LINE, LINE_TOKENS)
"""No stop string: a statement continues over line ends while its brackets are open."""
_OPENED_BLOCK = Limits(160, Extent.BLOCK, OPENED_BLOCK_TOKENS)
_BLOCK = Limits(160, Extent.BLOCK, BLOCK_TOKENS)
_BELIEVED_BLOCK = Limits(160, Extent.BELIEVED, OPENED_BLOCK_TOKENS)
_BELIEVED = Limits(160, Extent.BELIEVED, BLOCK_TOKENS)
_INVOKED_OPENED_BLOCK = Limits(256, Extent.BLOCK, OPENED_BLOCK_TOKENS)
_INVOKED_BLOCK = Limits(256, Extent.BLOCK, BLOCK_TOKENS)
_GENERATED = Limits(256, Extent.BLOCK, BODY_TOKENS)
_INVOKED_GENERATED = Limits(512, Extent.BLOCK, BODY_TOKENS)
_SUMMARY = Limits(400, Extent.WHOLE)
_TRANSLATION = Limits(2048, Extent.WHOLE)


def classify(
    action: Action, context: SyntaxContext, targets: Targets, *, doubts: bool = False
) -> Assignment:
    """Return the task that `action` means here.

    `doubts`: what is shown ends where the model is unsure, so that an answer may continue behind a
    statement.
    """
    match action:
        case Action.SUMMARIZE:
            return Assignment(Task.SUMMARIZATION, _SUMMARY, e2e_ms=targets.summarization_e2e_ms)
        case Action.TRANSLATE:
            return Assignment(Task.TRANSLATION, _TRANSLATION, e2e_ms=targets.translation_e2e_ms)
        case Action.AUTOMATIC_COMPLETION | Action.INVOKED_COMPLETION:
            invoked = action is Action.INVOKED_COMPLETION
    if asks_for_a_body(context):
        limits = _INVOKED_GENERATED if invoked else _GENERATED
        return Assignment(Task.GENERATION, limits, ttft_ms=targets.generation_ttft_ms)
    limits = _completion_limits(context, invoked=invoked, doubts=doubts)
    return Assignment(Task.COMPLETION, limits, ttft_ms=targets.completion_ttft_ms)


def asks_for_a_body(context: SyntaxContext) -> bool:
    """Return whether a whole piece of code is missing here: a body, or what a comment asks for."""
    return context.empty_body or context.wish is not None


def worth_asking(action: Action, context: SyntaxContext) -> bool:
    """Return whether a completion could help here; one that the person invoked always could.

    Inside of a word it could not: what would be inserted runs into the rest of the word. In front
    of a word it can: an argument before another one, a statement above the one that is there.
    """
    return action is not Action.AUTOMATIC_COMPLETION or not context.in_word


def _completion_limits(context: SyntaxContext, *, invoked: bool, doubts: bool) -> Limits:
    if context.rest is Rest.TEXT:
        if context.in_string or context.in_comment:
            return _IN_TEXT
        return _STATEMENT if context.above_code else _BEFORE_TEXT
    # What was asked for is shown whole, however doubtful: then syntax alone says where it ends.
    goes_on = doubts and not invoked
    if context.in_string or context.in_comment:
        return _BELIEVED if goes_on else _IN_TEXT
    if context.in_expression:
        return _BELIEVED if goes_on else _STATEMENT
    blank = not context.line_before.strip()
    opens_block = not blank and context.floor > width_of(context.line_before)
    if not (invoked or doubts or opens_block or (blank and context.block_end)):
        return _STATEMENT
    if opens_block or (blank and _begins_block(context)):
        if goes_on:
            return _BELIEVED_BLOCK
        return _INVOKED_OPENED_BLOCK if invoked else _OPENED_BLOCK
    if goes_on:
        return _BELIEVED
    return _INVOKED_BLOCK if invoked else _BLOCK


def _begins_block(context: SyntaxContext) -> bool:
    """Return whether the blank line of the cursor is indented by more than the line above."""
    above = context.around.before.rstrip().rpartition("\n")[2]
    return bool(above) and width_of(above) < width_of(context.line_before)


def summary_tokens(source_chars: int, chars_per_token: float) -> int:
    """Return how many tokens a summary of one unit probably has."""
    source_tokens = source_chars / max(chars_per_token, 0.1)
    return min(_SUMMARY_MOST, round(_SUMMARY_BASE + _SUMMARY_SHARE * source_tokens))


def translated_tokens(
    source_chars: int, chars_per_token: float, language: str, target_language: str
) -> int:
    """Return how many tokens a unit has in another language, as far as a backend generates it."""
    expected = translation_tokens(source_chars, chars_per_token, language, target_language)
    return min(_TRANSLATION_MOST, expected)
