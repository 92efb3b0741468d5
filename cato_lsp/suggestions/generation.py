"""One answer that streams in.

It outlives the request that began it: a person who types along with it asks again, and is answered
from here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.answers import TokenStream, further_texts
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.completion.reader import AnswerReader
from cato_lsp.completion.reuse import Answer, PromptAnchor, Token, behind, typed_since

if TYPE_CHECKING:
    from cato_lsp.backend.calls import Call
    from cato_lsp.backend.streams import EventStream

LONGEST_APART = 24
"""Characters by which the answers of one stream are apart; one that is not there by then never
comes: some servers give one answer, whatever they are asked for."""

log = logging.getLogger(__name__)

UNCHANGED_S = 0.1
"""An editor may take its request back before it tells of the key that made it do so."""

TYPING_S = 1.0
"""How long a stream is kept whose text is being typed, until the editor asks again."""

SHOWN_S = 5.0
"""How long one continues whose beginning is shown already."""

LONGEST_AHEAD = 64
"""Characters that a person may type ahead of a stream that has brought no token yet."""


class FurtherAnswers:
    """Reads the answers of one stream, while `answer()` continues beside it."""

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
        """How many characters the answer has; None while it continues."""
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
        """Record that the answer has ended: what goes beyond it is ignored."""
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
        """Return whether the tokens so far are enough to judge this number of characters."""
        answer, texts = self._answer(), self._texts.values()
        longest = max(map(len, texts), default=0)
        if len(texts) < self._count and longest < characters + LONGEST_APART:
            return False
        return all(len(text) >= characters or not answer.startswith(text) for text in texts)


class Generation:
    """Reads a stream as far as the last request needs it; calls `ended` when it is over."""

    def __init__(
        self,
        place: PromptAnchor,
        call: Call,
        stream: EventStream,
        ended: Callable[[Generation], None],
    ) -> None:
        self.place = place
        self.call = call
        self.stream = stream
        self.token_stream = TokenStream(stream)
        self.text = ""
        self.over = False
        self.failure: BackendFailure | None = None
        self.whole = False
        """Whether it was read to where it is enough, or its own end."""
        self.ttft_ms: float | None = None
        """From the asking to the first piece."""
        self._broke_off = False
        """Whether it ended without a word of its end: what came is shown, and asked for again."""
        self._tokens: list[Token] = []
        self._asked_s = asyncio.get_running_loop().time()
        self._ended = ended
        self._news = asyncio.Event()
        self._reader: AnswerReader | None = None
        self._typed = ""
        self._fed = 0
        self._leaving: asyncio.TimerHandle | None = None
        self._further: FurtherAnswers | None = None
        self._finished: CancelReason | None = None
        self._task = asyncio.create_task(self._read())

    def compare(
        self, stream: EventStream, count: int, ended: Callable[[FurtherAnswers], None]
    ) -> None:
        """Take `count` further answers to the same question, which end with this one."""
        self._further = FurtherAnswers(stream, count, lambda: self.text, ended)
        if self._finished is not None:
            self._end_further(self._finished)

    def fits(self, text: str, offset: int) -> str | None:
        """Return what was typed since the question; None if the answer says something else.

        What was said so far has to begin with what was typed, or may yet come to it.
        """
        typed = typed_since(self.place, text, offset, max(len(self.text), LONGEST_AHEAD))
        if typed is None:
            return None
        return typed if self.agrees(typed) else None

    def agrees(self, typed: str) -> bool:
        """Return whether the answer begins with `typed`, or may yet."""
        return self.text.startswith(typed) or (not self.over and typed.startswith(self.text))

    def follow(self, reader: AnswerReader, typed: str) -> None:
        """Let `reader` say from now on when it is enough, of what comes after `typed`."""
        self._stay()
        self._reader, self._typed, self._fed = reader, typed, len(typed)
        if self._take():
            self.whole = not reader.broken_off
            self._finish(CancelReason.ENOUGH)

    async def more(self) -> None:
        """Wait until there is more text, or the answer is over."""
        if not self.over:
            self._news.clear()
            await self._news.wait()

    async def compared(self) -> None:
        """Wait until the further answers have said as much as this one."""
        if self._further is not None:
            await self._further.heard()

    def leave(self, reader: AnswerReader, within_s: float) -> None:
        """Let the answer go on for `within_s` seconds without `reader`, unless another one follows.

        A request that took the place of the reader's follows before the reader's has ended.
        """
        if reader is self._reader:
            self._end_within(within_s)

    def typed_along(self) -> None:
        """Record that its text is being typed, so that a reader who left will be back."""
        if self._leaving is not None:
            self._end_within(TYPING_S)

    def cancel(self, reason: CancelReason) -> None:
        """End the answer now, up to the engine. Returns at once."""
        if not self.over:
            self._finish(reason)

    def answer(self) -> Answer:
        """Return what was said so far, to be kept."""
        return Answer(
            place=self.place,
            text=self.text,
            request_id=self.call.request_id,
            whole=self.whole and not self._broke_off,
            truncated=self.token_stream.truncated,
            ended=self.whole and self.token_stream.ended,
            tokens=tuple(self._tokens),
            others=self._further,
        )

    async def _read(self) -> None:
        try:
            async for tokens in self.token_stream:
                if self.ttft_ms is None:
                    self.ttft_ms = (asyncio.get_running_loop().time() - self._asked_s) * 1000
                self._tokens += tokens
                self.text += "".join(token.text for token in tokens)
                if not self.agrees(self._typed):
                    return self._finish(CancelReason.TYPED)
                if self._take():
                    break
                self._news.set()
            else:
                self._broke_off = not (self.token_stream.finished or self.stream.done)
            self.whole = self._reader is None or not self._reader.broken_off
        except BackendFailure as failure:
            self.failure = failure
        except Exception as error:
            # A request that waits for it must be told in any case.
            log.exception("completion %s failed", self.call.request_id)
            self.failure = BackendFailure(f"the answer could not be read: {type(error).__name__}")
        return self._finish(CancelReason.ENOUGH)

    def _take(self) -> bool:
        """Take over what came, and return whether it is enough."""
        if self._reader is None or len(self.text) <= self._fed:
            return False
        fed, self._fed = self._fed, len(self.text)
        return self._reader.feed(behind(self._tokens, fed))

    def _end_within(self, seconds: float) -> None:
        self._stay()
        if not self.over:
            loop = asyncio.get_running_loop()
            self._leaving = loop.call_later(seconds, self.cancel, CancelReason.TYPED)

    def _stay(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _finish(self, reason: CancelReason) -> None:
        if self.over:
            return
        self.over = True
        self._finished = reason
        self._stay()
        self._end_further(reason)
        self.stream.cancel(reason)
        if asyncio.current_task() is not self._task:
            self._task.cancel()
        self._news.set()
        self._ended(self)

    def _end_further(self, reason: CancelReason) -> None:
        if self._further is None:
            return
        if reason is CancelReason.ENOUGH:
            self._further.suffices(len(self.text))
        else:
            self._further.leave(reason)
