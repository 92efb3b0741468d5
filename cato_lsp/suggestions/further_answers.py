"""Further answers to a question: read as long as they say the same as the one that is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.answers import further_texts
from cato_lsp.backend.failures import BackendFailure

if TYPE_CHECKING:
    from cato_lsp.backend.streams import EventStream

LONGEST_APART = 24
"""Characters by which the answers of one stream are apart; one that is not there by then never
comes: some servers give one answer, whatever they are asked for."""


class FurtherAnswers:
    """Reads the answers of one stream, while `answer()` goes on beside it."""

    def __init__(
        self,
        stream: EventStream,
        count: int,
        answer: Callable[[], str],
        ended: Callable[[FurtherAnswers], None],
    ) -> None:
        """Create a reader of `count` answers; a server may give fewer. Calls `ended` at its end."""
        self.over = False
        self.failure: BackendFailure | None = None
        self._count = count
        self._texts: dict[int, str] = {}
        self._stream, self._answer, self._ended = stream, answer, ended
        self._news = asyncio.Event()
        self._enough: int | None = None
        """How many characters the answer has; None while it goes on."""
        self._task = asyncio.create_task(self._read())

    def texts(self) -> list[str]:
        """Return what they have said so far."""
        return [*self._texts.values()]

    async def heard(self) -> None:
        """Wait until all have said as much as the answer has, or something else."""
        while not (self.over or self._told(len(self._answer()))):
            self._news.clear()
            await self._news.wait()

    def suffices(self, characters: int) -> None:
        """Take note that the answer has ended: what goes beyond it tells nothing."""
        self._enough = characters
        if self._told(characters):
            self.leave(CancelReason.ENOUGH)

    def leave(self, reason: CancelReason) -> None:
        """End the stream, up to the engine."""
        if self.over:
            return
        self.over = True
        self._ended(self)
        self._stream.cancel(reason)
        self._news.set()
        if asyncio.current_task() is not self._task:
            self._task.cancel()

    async def _read(self) -> None:
        try:
            async for texts in further_texts(self._stream):
                for index, text in texts:
                    self._texts[index] = self._texts.get(index, "") + text
                self._news.set()
                if self._enough is not None and self._told(self._enough):
                    break
        except BackendFailure as failure:
            self.failure = failure  # What they have said counts, and nothing else is lost.
        self.leave(CancelReason.ENOUGH)

    def _told(self, characters: int) -> bool:
        """Return whether nothing more is needed to judge so many characters of the answer."""
        answer, texts = self._answer(), self._texts.values()
        longest = max(map(len, texts), default=0)
        if len(texts) < self._count and longest < characters + LONGEST_APART:
            return False
        return all(len(text) >= characters or not answer.startswith(text) for text in texts)
