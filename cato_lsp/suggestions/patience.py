"""How long a question waits for its answers: by then what there is must be shown."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from cato_lsp.completion.reader import AnswerReader
from cato_lsp.decisions.habits import SHOW_BY_MS
from cato_lsp.suggestions.generation import Generation
from cato_lsp.suggestions.questions import CompletionContext


async def until_shown(
    generation: Generation, reader: AnswerReader, asked: CompletionContext
) -> None:
    """Wait until all is there, or a whole line and no more patience."""
    try:
        async with asyncio.timeout(_left_s(asked) if asked.question.automatic else None):
            while not (reader.complete or generation.over):
                await generation.more()
    except TimeoutError:
        while not (reader.showable or generation.over):
            await generation.more()


async def until_compared(generation: Generation, asked: CompletionContext) -> None:
    """Wait until the further answers have said as much as the one that is shown, or no more."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_left_s(asked)):
            await generation.compared()


def _left_s(asked: CompletionContext) -> float:
    """Return how much patience is left, in seconds."""
    return max(SHOW_BY_MS[asked.assignment.task] - asked.question.spent_ms(), 0) / 1000
