"""A sink of a whole task's events that keeps them."""

from __future__ import annotations

from typing import Any

from cato_backend.runtime.calls import Started
from cato_backend.wire.tasks import TaskEvent


class Recorder:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.begun: list[Started | None] = []
        self.sent: list[tuple[TaskEvent, dict[str, Any]]] = []
        self.ended = 0

    @property
    def has_begun(self) -> bool:
        return bool(self.begun)

    async def begin(self, started: Started | None) -> None:
        self.begun.append(started)

    async def send(self, event: TaskEvent, value: dict[str, Any]) -> None:
        self.sent.append((event, value))

    async def end(self) -> None:
        self.ended += 1

    @property
    def texts(self) -> list[tuple[str, int | None]]:
        return [(v["text"], v.get("unit")) for e, v in self.sent if e is TaskEvent.DELTA]
