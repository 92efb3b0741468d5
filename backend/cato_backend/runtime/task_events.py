"""The events of a whole task, in the order of its result, though its calls run side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cato_backend.runtime.calls import Started
from cato_backend.wire.tasks import TaskEvent


class EventSink(Protocol):
    """Where the events go."""

    @property
    def has_begun(self) -> bool:
        """Whether anything was sent."""
        ...

    async def begin(self, started: Started | None) -> None:
        """Comes once, before the first event; `started`: what is known of the first call that has
        a token, None where the events begin before that."""
        ...

    async def send(self, event: TaskEvent, value: dict[str, Any]) -> None:
        """Sends one event."""
        ...

    async def end(self) -> None:
        """Nothing more comes."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """When the whole will probably be there, and when it is due, from the task's arrival on."""

    expected_s: float
    target_s: float

    def body(self) -> dict[str, int]:
        """As a progress event tells it."""
        return {
            "estimate_ms": round(self.expected_s * 1e3),
            "target_ms": round(self.target_s * 1e3),
        }


class TaskEvents:
    """Text of the first step that is not done goes out at once; that of later ones waits.

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
        """Tells the estimate, unless the events have begun."""
        async with self._lock:
            if not self._sink.has_begun:
                await self._sink.begin(None)
                await self._progress()

    async def begin(self, started: Started) -> None:
        """A call has its first token; with the first of all, the events begin."""
        async with self._lock:
            if self._is_running:
                return
            self._is_running = True
            if not self._sink.has_begun:
                await self._sink.begin(started)
            await self._progress()

    async def delta(self, number: int, text: str) -> None:
        """A step said more."""
        if not self._shown[number]:
            return
        async with self._lock:
            if number == self._current:
                await self._delta(number, text)
            else:
                self._held[number] += text

    async def restart(self, number: int) -> None:
        """What a step said so far is void: it is asked once more."""
        async with self._lock:
            self._held[number] = ""
            if self._sent[number]:
                self._sent[number] = ""
                await self._sink.send(TaskEvent.RESTART, {"text": "".join(self._sent)})

    async def done(self, number: int) -> None:
        """A step is over."""
        async with self._lock:
            self._done.add(number)
            while self._current in self._done:
                self._current += 1
                if self._current < len(self._units) and self._held[self._current]:
                    await self._delta(self._current, self._held[self._current])
            if self._sink.has_begun and len(self._done) < len(self._units):
                await self._progress()

    async def result(self, value: dict[str, Any]) -> None:
        """The whole is there."""
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
