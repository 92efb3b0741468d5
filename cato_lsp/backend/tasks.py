"""The events of `POST /v1/tasks`, told to whoever shows them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from cato_backend.wire.headers import CancelReason
from cato_backend.wire.tasks import TaskEvent
from cato_lsp.backend.completions import json_object
from cato_lsp.backend.failures import Refused, TimedOut
from cato_lsp.backend.refusals import refused

if TYPE_CHECKING:
    from cato_lsp.backend.streams import EventStream

LONGEST_S = 300.0
"""After this a task that has not ended is given up, far behind any target."""


class Listener(Protocol):
    """Who is told how a task gets on: an editor's progress, a terminal."""

    def report(self, message: str, percentage: int | None) -> None:
        """The work goes on."""
        ...

    def delta(self, text: str) -> None:
        """A piece of the result."""
        ...

    def restart(self, text: str) -> None:
        """The pieces so far are void; the result begins with `text`."""
        ...


async def outcome_of(stream: EventStream, listener: Listener) -> str:
    """The text of the result. Ends the stream in any case. Raises BackendFailure."""
    try:
        async with asyncio.timeout(LONGEST_S):
            return await _result(stream, listener)
    except TimeoutError as error:
        raise TimedOut(f"no result within {LONGEST_S:.0f} s") from error
    finally:
        stream.cancel(CancelReason.CLOSED)


async def _result(stream: EventStream, listener: Listener) -> str:
    async for event in stream:
        data = json_object(event.data)
        if event.name == TaskEvent.RESULT:
            return str(data.get("text", ""))
        if event.name == TaskEvent.ERROR or data.get("error"):
            raise refused(data, status=502)
        if event.name == TaskEvent.DELTA:
            listener.delta(str(data.get("text", "")))
        elif event.name == TaskEvent.RESTART:
            listener.restart(str(data.get("text", "")))
        elif event.name == TaskEvent.PROGRESS:
            listener.report(str(data.get("state", "")), _percentage(data))
    raise Refused("the task ended without a result", status=200)


def _percentage(progress: dict[str, Any]) -> int | None:
    done, total = progress.get("done"), progress.get("total")
    if not isinstance(done, int) or not isinstance(total, int) or total <= 0:
        return None
    return min(100 * done // total, 100)
