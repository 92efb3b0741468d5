"""One step of a whole task: its stream as part of the task, and once more if it cannot be used."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from cato_backend.runtime.calls import Sink, Started
from cato_backend.runtime.chunks import text_of
from cato_backend.runtime.task_events import TaskEvents
from cato_backend.tasks.reading import AnswerProblem, AnswerReader
from cato_backend.wire import sse
from cato_backend.wire.headers import CancelReason

Ask = Callable[["StepSink", bool], Awaitable[CancelReason | None]]
"""Makes the call into the sink, the second time with a penalty on repetition; returns why it was
ended by name, where it was."""


class StepSink(Sink):
    """The text of one call. `on_enough` is called when nothing that still comes is wanted."""

    def __init__(self, events: TaskEvents, number: int, *, one_block: bool) -> None:
        self._events = events
        self._number = number
        self._one_block = one_block
        self._chunks = sse.EventReader()
        self._reader = AnswerReader(one_block=one_block)
        self._is_ended = False
        self.on_enough: Callable[[], None] | None = None
        self.finish_reason = ""

    @property
    def text(self) -> str:
        """What it said, as far as that is part of the result."""
        return self._reader.text

    @property
    def problem(self) -> AnswerProblem | None:
        """Why the answer cannot be used, once it has ended."""
        return self._reader.problem

    @property
    def defect(self) -> AnswerProblem | None:
        """Why the answer's block may not be the code that was asked for."""
        return self._reader.defect(self.finish_reason)

    async def run(
        self, ask: Ask, on_problem: Callable[[AnswerProblem], None]
    ) -> CancelReason | None:
        """Asks, and once more where the answer cannot be used; why the client ended it, where it
        did so by name. What is wrong in the end is `problem`."""
        for again in (False, True):
            if again:
                await self.begin_again()
            reason = await ask(self, again)
            if reason is not None and not self._is_ended:
                return reason
            await self._pass_on(self._reader.end())
            problem = self.problem
            if problem is None:
                break
            on_problem(problem)
        return None

    async def begin(self, started: Started) -> None:
        """Its first token is there."""
        await self._events.begin(started)

    async def write(self, data: bytes) -> None:
        """Passes the text on."""
        for event in self._chunks.feed(data):
            if event.data != sse.DONE:
                await self._take(orjson.loads(event.data))

    async def begin_again(self) -> None:
        """Forgets what was said."""
        self._chunks = sse.EventReader()
        self._reader = AnswerReader(one_block=self._one_block)
        self._is_ended, self.finish_reason = False, ""
        await self._events.restart(self._number)

    async def _take(self, chunk: dict[str, Any]) -> None:
        for choice in chunk["choices"]:
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            await self._pass_on(self._reader.feed(text_of(choice)))
        if self._reader.is_over and not self._is_ended:
            self._is_ended, self.finish_reason = True, self.finish_reason or "stop"
            if self.on_enough is not None:
                self.on_enough()

    async def _pass_on(self, text: str) -> None:
        if text:
            await self._events.delta(self._number, text)
