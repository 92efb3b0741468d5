"""Passes events to the scheduler, carries out its decisions, and reports refusals to calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from cato_backend.clock import Clock
from cato_backend.errors import (
    Expired,
    InvalidRequest,
    NoReplica,
    Overloaded,
    PoisonRequest,
    ReplicasBusy,
    RequestError,
    Superseded,
    UpstreamFailed,
)
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.scheduling import (
    Abort,
    Decision,
    Dispatch,
    Eject,
    Event,
    Progressed,
    Recall,
    Refusal,
    Reinstate,
    Reject,
    Scheduler,
    SyntheticTrial,
    WakeAt,
    Woke,
)

Watcher = Callable[[Event, Sequence[Decision], float], None]
"""Receives each event, what was decided on it, and when."""


def refused(refusal: Refusal, retry_after_s: float) -> RequestError:
    """Return what the client is told for the scheduler's refusal."""
    match refusal:
        case Refusal.OVERLOADED:
            return Overloaded("the queue is full; come back later", retry_after_s=retry_after_s)
        case Refusal.SUPERSEDED:
            return Superseded("a newer request of the same document took its place")
        case Refusal.EXPIRED:
            return Expired("its queue timeout passed before a replica could start it")
        case Refusal.NO_REPLICA:
            return NoReplica("no healthy replica until the deadline")
        case Refusal.REPLICA_FAILED:
            return UpstreamFailed("the replica failed and the request could not be moved")
        case Refusal.REPLICAS_BUSY:
            return ReplicasBusy(
                "every replica of the model refuses requests for now; come back later",
                retry_after_s=retry_after_s,
            )
        case Refusal.REPLICAS_DIED:
            return PoisonRequest(
                "two replicas died while they were starting this request; it was not sent to a"
                " third. Change the request before you send it again"
            )


class Dispatcher:
    """Holds the requests in flight and the scheduler's alarm."""

    def __init__(self, scheduler: Scheduler, clock: Clock) -> None:
        self.scheduler = scheduler
        self.clock = clock
        self._flights: dict[str, InFlightRequest] = {}
        self._groups: dict[str, list[InFlightRequest]] = {}
        self._watchers: list[Watcher] = []
        self._watchers_of_progress: list[Watcher] = []
        self._alarm: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._flights)

    def enter(self, flight: InFlightRequest) -> None:
        """Pass decisions to the request from now on. Raises InvalidRequest for an id in use."""
        name = flight.call.request.id
        if name in self._flights:
            shown = flight.call.name
            raise InvalidRequest(f"x-request-id: {shown!r} is in use", param="x-request-id")
        self._flights[name] = flight
        if flight.call.group:
            self._groups.setdefault(flight.call.group, []).append(flight)

    def leave(self, request_id: str) -> None:
        """Record that the flight has ended."""
        flight = self._flights.pop(request_id)
        if flight.call.group:
            siblings = self._groups[flight.call.group]
            siblings.remove(flight)
            if not siblings:
                del self._groups[flight.call.group]

    def flights(self) -> tuple[InFlightRequest, ...]:
        """Return every live flight."""
        return tuple(self._flights.values())

    def find(self, request_id: str) -> tuple[InFlightRequest, ...]:
        """Return the live flights of this request: one, or those of a whole task's calls."""
        flight = self._flights.get(request_id)
        return (flight,) if flight is not None else tuple(self._groups.get(request_id, ()))

    def watch(self, watcher: Watcher, *, progress: bool = True) -> None:
        """Tell the watcher each event from now on.

        Where not `progress`, without the tokens on which nothing was decided: most events are such.
        """
        self._watchers.append(watcher)
        if progress:
            self._watchers_of_progress.append(watcher)

    def tell(self, event: Event) -> None:
        """Something happened just now."""
        now = self.clock()
        decisions = self.scheduler.handle(event, now)
        if not decisions and isinstance(event, Progressed):
            for watcher in self._watchers_of_progress:
                watcher(event, decisions, now)
            return
        for watcher in self._watchers:
            watcher(event, decisions, now)
        for decision in decisions:
            self._carry_out(decision)

    def _carry_out(self, decision: Decision) -> None:
        match decision:
            case WakeAt(time):
                self._set_alarm(time)
            case Dispatch(request_id):
                self._post(request_id, decision)
            case Abort(request_id, attempt):
                flight = self._flights.get(request_id)
                if flight is not None:
                    flight.abort(attempt)
            case Recall(request_id, attempt):
                flight = self._flights.get(request_id)
                if flight is not None:
                    flight.recall(attempt)
            case Eject() | Reinstate() | SyntheticTrial():
                pass  # For watchers: `Ejections` and `SyntheticTrials`.
            case Reject(request_id, refusal, retry_after_s):
                self._post(request_id, refused(refusal, retry_after_s))

    def _post(self, request_id: str, verdict: Dispatch | RequestError) -> None:
        flight = self._flights.get(request_id)
        if flight is not None:
            flight.post(verdict)

    def _set_alarm(self, time: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        delay = max(0.0, time - self.clock())
        self._alarm = asyncio.get_running_loop().call_later(delay, self.tell, Woke())
