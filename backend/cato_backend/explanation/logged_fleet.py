"""Queued and running requests, reconstructed from the entries of an event log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from cato_backend.requests import Request
from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Cancelled,
    Dispatch,
    Eject,
    Event,
    Finished,
    LoadReported,
    OthersRunning,
    Progressed,
    Reinstate,
    Reject,
    ReplicaAsleep,
    ReplicaDown,
    ReplicaDraining,
    ReplicaResumed,
    ReplicaUp,
    Submitted,
)
from cato_backend.scheduling.journal import Entry
from cato_backend.wire.headers import Task


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """Queue and replicas of the request's model at its arrival."""

    waiting: Mapping[Task, int]
    """Queued requests by class."""
    running: int
    slots: int
    """Requests that the replicas in service run at once."""
    replicas: int
    """In service: up, not draining, not asleep, not ejected."""
    ejected: int
    asleep: int = 0


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """Load of a replica when an attempt was sent to it."""

    running: int
    """Requests from here."""
    prefilling: int
    """The number of them that have no token yet."""
    prefill_tokens: int
    """Prompt tokens of those."""
    others: int
    """Requests that did not come from here."""
    reported_waiting: int | None = None
    """In the engine's own queue, by its latest metrics; None where it reported nothing."""


@dataclass(slots=True)
class RunningEntry:
    """A request on a replica."""

    request: Request
    replica_id: str
    attempt: int
    begun: bool = False


@dataclass(slots=True)
class _Replica:
    up: ReplicaUp
    draining: bool = False
    asleep: bool = False
    ejected: bool = False
    others: int = 0
    reported: LoadReported | None = None

    @property
    def serves(self) -> bool:
        return not (self.draining or self.asleep or self.ejected)


@dataclass(slots=True)
class LoggedFleet:
    """Follows the entries of one run of a server, from its first or from any later one."""

    waiting: dict[str, Request] = field(default_factory=dict[str, Request])
    running: dict[str, RunningEntry] = field(default_factory=dict[str, RunningEntry])
    _replicas: dict[str, _Replica] = field(default_factory=dict[str, _Replica])

    def take(self, entry: Entry) -> None:
        """Follow the event and the decisions on it, except dispatches: these go to `dispatch`."""
        self._event(entry.event)
        for decision in entry.decisions:
            match decision:
                case Abort(request_id, attempt, moved):
                    requeues = moved or isinstance(entry.event, ReplicaDown)
                    self._end_attempt(request_id, attempt, requeues=requeues)
                case Reject(request_id):
                    self._leave(request_id)
                case Eject(replica_id) | Reinstate(replica_id):
                    if replica_id in self._replicas:
                        self._replicas[replica_id].ejected = isinstance(decision, Eject)
                case _:
                    pass

    def dispatch(self, decision: Dispatch) -> None:
        """Follow one dispatch."""
        request = self.waiting.pop(decision.request_id, None)
        if request is not None:
            running = RunningEntry(request, decision.replica_id, decision.attempt)
            self.running[request.id] = running

    def queue_snapshot(self, request: Request) -> QueueSnapshot:
        """Return what the request finds, itself left out."""
        of_model = [each for each in self._replicas.values() if each.up.model == request.model]
        serving = [each for each in of_model if each.serves]
        queued = (each for each in self.waiting.values() if each.id != request.id)
        running = (each.request for each in self.running.values())
        return QueueSnapshot(
            waiting=Counter(each.task for each in queued if each.model == request.model),
            running=sum(each.model == request.model for each in running),
            slots=sum(max(0, each.up.max_running - each.others) for each in serving),
            replicas=len(serving),
            ejected=sum(each.ejected for each in of_model),
            asleep=sum(each.asleep for each in of_model),
        )

    def engine_snapshot(self, replica_id: str) -> EngineSnapshot:
        """Return what is on a replica now."""
        there = [each for each in self.running.values() if each.replica_id == replica_id]
        silent = [each.request.prompt_tokens for each in there if not each.begun]
        replica = self._replicas.get(replica_id)
        reported = None if replica is None else replica.reported
        return EngineSnapshot(
            running=len(there),
            prefilling=len(silent),
            prefill_tokens=sum(silent),
            others=0 if replica is None else replica.others,
            reported_waiting=None if reported is None else reported.waiting,
        )

    def _event(self, event: Event) -> None:
        match event:
            case Submitted(request):
                self.waiting[request.id] = request
            case Progressed(request_id, attempt, tokens):
                running = self.running.get(request_id)
                if running is not None and running.attempt == attempt and tokens:
                    running.begun = True
            case Finished(request_id, attempt):
                self._end_attempt(request_id, attempt, requeues=False)
            case AttemptFailed(request_id, attempt):
                self._end_attempt(request_id, attempt, requeues=True)
            case Cancelled(request_id):
                self._leave(request_id)
            case ReplicaUp(replica_id):
                self._replicas[replica_id] = _Replica(event)
            case ReplicaDown(replica_id):
                self._replicas.pop(replica_id, None)
            case (
                ReplicaDraining(replica_id) | ReplicaAsleep(replica_id) | ReplicaResumed(replica_id)
            ):
                if replica_id in self._replicas:
                    self._replicas[replica_id].asleep = isinstance(event, ReplicaAsleep)
                    self._replicas[replica_id].draining = isinstance(event, ReplicaDraining)
            case OthersRunning(replica_id, requests):
                if replica_id in self._replicas:
                    self._replicas[replica_id].others = requests
            case LoadReported(replica_id):
                if replica_id in self._replicas:
                    self._replicas[replica_id].reported = event
            case _:
                pass

    def _end_attempt(self, request_id: str, attempt: int, *, requeues: bool) -> None:
        running = self.running.get(request_id)
        if running is None or running.attempt != attempt:
            return
        del self.running[request_id]
        if requeues:
            self.waiting[request_id] = running.request

    def _leave(self, request_id: str) -> None:
        self.waiting.pop(request_id, None)
        self.running.pop(request_id, None)
