"""The events of a whole task to its client, and the streams of its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from cato_backend.runtime.calls import Sink, Started
from cato_backend.runtime.chunks import text_of
from cato_backend.tasks.reading import AnswerProblem, AnswerReader
from cato_backend.wire import sse
from cato_backend.wire.headers import CancelReason
from cato_backend.wire.tasks import TaskEvent

Ask = Callable[["StepSink", bool], Awaitable[CancelReason | None]]
"""Makes the call into the sink, the second time with a penalty on repetition; returns why it was
ended by name, where it was."""


class EventSink(Protocol):
    """The receiver of the events."""

    @property
    def has_begun(self) -> bool:
        """Whether anything was sent."""
        ...

    async def begin(self, started: Started | None) -> None:
        """Begin the events; called once, before the first of them.

        `started`: what is known of the first call that has a token, None where the events begin
        before that.
        """
        ...

    async def send(self, event: TaskEvent, value: dict[str, Any]) -> None:
        """Send one event."""
        ...

    async def end(self) -> None:
        """Nothing more comes."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """The expected end of the task and its deadline, in time since the task's arrival."""

    expected_s: float
    target_s: float

    def body(self) -> dict[str, int]:
        """Return it as a progress event tells it."""
        return {
            "estimate_ms": round(self.expected_s * 1e3),
            "target_ms": round(self.target_s * 1e3),
        }


class TaskEvents:
    """Sends the text of the first unfinished step at once; holds back that of later ones.

    `units`: for each step the index of the unit whose text it is, None where it is of no one's;
    `shown`: whether its text is part of the result.
    """

    def __init__(
        self,
        sink: EventSink,
        units: Sequence[int | None],
        shown: Sequence[bool],
        estimate: Estimate,
    ) -> None:
        self._sink = sink
        self._units = units
        self._shown = shown
        self._estimate = estimate
        self._held = [""] * len(units)
        self._sent = [""] * len(units)
        self._done: set[int] = set()
        self._current = 0
        self._is_running = False
        self._lock = asyncio.Lock()

    async def announce(self) -> None:
        """Tell the estimate, unless the events have begun."""
        async with self._lock:
            if not self._sink.has_begun:
                await self._sink.begin(None)
                await self._progress()

    async def begin(self, started: Started) -> None:
        """Record that a call has its first token; with the first of all, the events begin."""
        async with self._lock:
            if self._is_running:
                return
            self._is_running = True
            if not self._sink.has_begun:
                await self._sink.begin(started)
            await self._progress()

    async def delta(self, number: int, text: str) -> None:
        """Send what a step has said since."""
        if not self._shown[number]:
            return
        async with self._lock:
            if number == self._current:
                await self._delta(number, text)
            else:
                self._held[number] += text

    async def restart(self, number: int) -> None:
        """Report that a step is asked again, so that what it said so far is void."""
        async with self._lock:
            self._held[number] = ""
            if self._sent[number]:
                self._sent[number] = ""
                await self._sink.send(TaskEvent.RESTART, {"text": "".join(self._sent)})

    async def done(self, number: int) -> None:
        """Report that a step is over."""
        async with self._lock:
            self._done.add(number)
            while self._current in self._done:
                self._current += 1
                if self._current < len(self._units) and self._held[self._current]:
                    await self._delta(self._current, self._held[self._current])
            if self._sink.has_begun and len(self._done) < len(self._units):
                await self._progress()

    async def result(self, value: dict[str, Any]) -> None:
        """Send the whole result."""
        if not self._sink.has_begun:
            await self._sink.begin(None)
        await self._sink.send(TaskEvent.RESULT, value)
        await self._sink.end()

    async def end(self) -> None:
        """Nothing more comes."""
        await self._sink.end()

    async def _delta(self, number: int, text: str) -> None:
        self._sent[number] += text
        where = self._units[number]
        about = {} if where is None else {"unit": where}
        await self._sink.send(TaskEvent.DELTA, {"text": text, **about})

    async def _progress(self) -> None:
        state = "running" if self._is_running else "waiting"
        counts = {"done": len(self._done), "total": len(self._units)}
        value = {"state": state, **counts, **self._estimate.body()}
        await self._sink.send(TaskEvent.PROGRESS, value)


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
        """The text of the answer that is part of the result."""
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
        """Ask for the answer, and again where it cannot be used.

        Returns why the client ended the call, where it did so by name. What is wrong in the end is
        `problem`.
        """
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
        """Begin the events, because the first token is there."""
        await self._events.begin(started)

    async def write(self, data: bytes) -> None:
        """Pass the text on."""
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
