"""Counters and received requests of an emulated vLLM, for assertions and its control address."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request to a generating route."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class EmulatorState:
    """Counters since the start. `finished` counts sequences by vLLM's reasons, and "abort"."""

    requests: list[RecordedRequest] = field(default_factory=list[RecordedRequest])
    """In the order of arrival; only where the emulator can be controlled."""
    running: int = 0
    """Sequences that run now; kept by the timing, as `waiting` is."""
    waiting: int = 0
    generated_tokens: int = 0
    slept: int = 0
    """How often it fell asleep."""
    finished: Counter[str] = field(default_factory=Counter[str])
    _waits: list[tuple[Callable[[EmulatorState], bool], asyncio.Future[None]]] = field(
        default_factory=list[tuple[Callable[["EmulatorState"], bool], asyncio.Future[None]]]
    )

    @property
    def aborted(self) -> int:
        """Sequences whose client went away before they were finished."""
        return self.finished["abort"]

    def occupied(self, running: int, waiting: int) -> None:
        """Set how many sequences run and wait."""
        self.running, self.waiting = running, waiting
        self.changed()

    def changed(self) -> None:
        """Wake those who wait for what holds now."""
        for holds, future in self._waits:
            if not future.done() and holds(self):
                future.set_result(None)

    async def wait_until(
        self, holds: Callable[[EmulatorState], bool], timeout_s: float | None
    ) -> None:
        """Return as soon as `holds(state)`. Raises TimeoutError; None waits without a limit."""
        if holds(self):
            return
        wait = (holds, asyncio.get_running_loop().create_future())
        self._waits.append(wait)
        try:
            async with asyncio.timeout(timeout_s):
                await wait[1]
        finally:
            self._waits.remove(wait)

    def json(self) -> dict[str, Any]:
        """Return the state as it goes over the wire."""
        return {
            "requests": [asdict(request) for request in self.requests],
            "running": self.running,
            "waiting": self.waiting,
            "generated_tokens": self.generated_tokens,
            "slept": self.slept,
            "finished": dict(self.finished),
            "aborted": self.aborted,
        }
