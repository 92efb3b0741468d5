"""The events of a whole task, in the order of its result, though its calls run side by side."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from cato_backend.gateway.sinks import StreamSink
from cato_backend.runtime.calls import Started
from cato_backend.wire import sse
from cato_backend.wire.tasks import TaskEvent


class TaskStream:
    """Text of the first call that is not done goes out at once; that of later ones waits."""

    def __init__(self, sink: StreamSink, total: int) -> None:
        self._sink = sink
        self._total = total
        self._held = [""] * total
        self._sent = [""] * total
        self._done: set[int] = set()
        self._current = 0
        self._lock = asyncio.Lock()

    async def begin(self, started: Started) -> None:
        """A call has its first token; with the first of all, headers leave."""
        async with self._lock:
            if self._sink.response is None:
                await self._sink.begin(started)
                await self._progress()

    async def delta(self, index: int, text: str) -> None:
        """A call said more."""
        async with self._lock:
            if index == self._current:
                await self._delta(index, text)
            else:
                self._held[index] += text

    async def restart(self, index: int) -> None:
        """What a call said so far is void: it is made once more."""
        async with self._lock:
            self._held[index] = ""
            if self._sent[index]:
                self._sent[index] = ""
                await self._send(TaskEvent.RESTART, {"text": "".join(self._sent)})

    async def done(self, index: int) -> None:
        """A call is over."""
        async with self._lock:
            self._done.add(index)
            while self._current in self._done:
                self._current += 1
                if self._current < self._total and self._held[self._current]:
                    await self._delta(self._current, self._held[self._current])
            if len(self._done) < self._total:
                await self._progress()

    async def result(self, value: dict[str, Any]) -> None:
        """The whole is there."""
        await self._send(TaskEvent.RESULT, value)
        await self.end()

    async def end(self) -> None:
        """Nothing more comes."""
        await self._sink.write(sse.event(sse.DONE))

    async def _delta(self, index: int, text: str) -> None:
        self._sent[index] += text
        await self._send(TaskEvent.DELTA, {"text": text})

    async def _progress(self) -> None:
        value = {"state": "running", "done": len(self._done), "total": self._total}
        await self._send(TaskEvent.PROGRESS, value)

    async def _send(self, name: TaskEvent, value: dict[str, Any]) -> None:
        await self._sink.write(sse.event(orjson.dumps(value).decode(), name))
