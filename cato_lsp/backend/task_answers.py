"""The answers of whole tasks: progress, units, the result."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from cato_backend.wire.headers import CancelReason
from cato_backend.wire.tasks import TaskEvent
from cato_lsp.backend.answers import json_object
from cato_lsp.backend.failures import Refused, TimedOut, refused

if TYPE_CHECKING:
    from cato_lsp.backend.streams import EventStream

_LEAST_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """Progress of a task.

    `estimate_ms` is when its end is expected, counted from its beginning, and `target_ms` is when
    it is due. Each is None where the backend does not say.
    """

    state: str
    done: int = 0
    total: int = 0
    estimate_ms: int | None = None
    target_ms: int | None = None

    @property
    def percentage(self) -> int | None:
        """Calls that are done, of all; None where that is not known."""
        return min(100 * self.done // self.total, 100) if self.total > 0 else None

    @property
    def text(self) -> str:
        """For people, such as `waiting, about 4 s (its target is 3 s)`."""
        parts = [self.state]
        if self.total > 1:
            parts.append(f"{self.done} of {self.total}")
        if self.estimate_ms is not None and self.target_ms is not None:
            late = self.estimate_ms > self.target_ms
            target = f" (its target is {_seconds(self.target_ms)})" if late else ""
            parts.append(f"about {_seconds(self.estimate_ms)}{target}")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class UnitAnswer:
    """The result of one unit. `problem`: why it or a part of it failed; empty where it did not."""

    name: str
    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """The result of a task."""

    text: str
    units: tuple[UnitAnswer, ...] = ()
    met: bool = True
    """Whether it came within its target."""


class Listener(Protocol):
    """Receives the progress and the text of a task."""

    def report(self, progress: TaskProgress) -> None:
        """Take a report of how far the work is."""
        ...

    def delta(self, text: str, unit: int | None) -> None:
        """Take a piece of the unit of this index; None: of what is said about all of them."""
        ...

    def restart(self, text: str) -> None:
        """Discard the pieces so far, but for those that `text` consists of."""
        ...


def patience_s(budget_s: float) -> float:
    """Return after how many seconds a task that has not ended is given up, far behind its budget.

    Slow hardware has longer budgets.
    """
    return max(_LEAST_PATIENCE_S, 2 * budget_s)


async def outcome_of(stream: EventStream, listener: Listener, longest_s: float) -> TaskAnswer:
    """Read the stream to its end and return the result. Raises BackendFailure.

    The stream is ended in any case, after `longest_s` without a result.
    """
    try:
        async with asyncio.timeout(longest_s):
            return await _result(stream, listener)
    except TimeoutError as error:
        raise TimedOut(f"no result within {longest_s:.0f} s") from error
    finally:
        stream.cancel(CancelReason.CLOSED)


async def _result(stream: EventStream, listener: Listener) -> TaskAnswer:
    async for event in stream:
        data = json_object(event.data)
        if event.name == TaskEvent.RESULT:
            return _answer(data)
        if event.name == TaskEvent.ERROR or data.get("error"):
            raise refused(data, status=502)
        if event.name == TaskEvent.DELTA:
            listener.delta(str(data.get("text") or ""), _count(data, "unit"))
        elif event.name == TaskEvent.RESTART:
            listener.restart(str(data.get("text") or ""))
        elif event.name == TaskEvent.PROGRESS:
            listener.report(_progress(data))
    raise Refused("the task ended without a result", status=200)


def _answer(data: dict[str, Any]) -> TaskAnswer:
    listed = data.get("units")
    units = cast("list[object]", listed) if isinstance(listed, list) else []
    return TaskAnswer(
        str(data.get("text", "")),
        tuple(_unit(cast("dict[str, Any]", unit)) for unit in units if isinstance(unit, dict)),
        data.get("met") is not False,
    )


def _unit(data: dict[str, Any]) -> UnitAnswer:
    problem = data.get("problem")
    said = cast("dict[str, Any]", problem) if isinstance(problem, dict) else {}
    return UnitAnswer(
        str(data.get("name", "")), str(data.get("text", "")), str(said.get("message") or "")
    )


def _progress(data: dict[str, Any]) -> TaskProgress:
    return TaskProgress(
        str(data.get("state", "")),
        _count(data, "done") or 0,
        _count(data, "total") or 0,
        _count(data, "estimate_ms"),
        _count(data, "target_ms"),
    )


def _count(data: dict[str, Any], name: str) -> int | None:
    value = data.get(name)
    return value if isinstance(value, int) and value >= 0 else None


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 10_000 else f"{milliseconds // 1000} s"
