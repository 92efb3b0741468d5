"""The state machine itself: events in, decisions out."""

from __future__ import annotations

from collections.abc import Callable

from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Ending
from cato_backend.scheduling.decisions import Abort, Decision, Refusal, Reject, WakeAt
from cato_backend.scheduling.events import (
    AttemptFailed,
    Cancelled,
    Event,
    Finished,
    LoadReported,
    OthersRunning,
    ProbeEvent,
    Progressed,
    ReplicaAsleep,
    ReplicaChanged,
    ReplicaDown,
    ReplicaDraining,
    ReplicaResumed,
    ReplicaUp,
    Submitted,
    SyntheticTrialEnded,
    Woke,
)
from cato_backend.scheduling.limits import Limits
from cato_backend.scheduling.live import LiveRequests
from cato_backend.scheduling.matching import Matching
from cato_backend.scheduling.outlier_record import OutlierRecord
from cato_backend.scheduling.policies.base import Policy
from cato_backend.scheduling.queue import Alarms, Waiting, earliest
from cato_backend.scheduling.recovery import QueueTimeouts, Recovery
from cato_backend.scheduling.replica import ReplicaLoad


class Scheduler:
    """Queue, ledger, supersession and retry around one policy.

    Invariants: a submitted request is in exactly one of queue and ledger until it finished, was
    cancelled or rejected; it is rejected at most once; no replica runs more than its limit.
    """

    def __init__(self, policy: Policy, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._alarms = Alarms()
        self._live = LiveRequests(policy, self._limits, self._alarms)
        self._health = self._live.health
        self._matching = Matching(self._live, self._alarms)
        self._recovery = Recovery(self._live, self._limits, self._alarms)
        self._timeouts = QueueTimeouts(self._live, self._alarms)

    def handle(self, event: Event, now: float) -> list[Decision]:
        """Take one event that happened at `now` and return what is to be done, in order.

        Events about requests, attempts or replicas that are gone are ignored: a stream's end and a
        cancellation may cross on their way. Raises ValueError for a request or replica id in use.
        """
        self._live.fleet.now = now
        out: list[Decision] = []
        if isinstance(event, Progressed):
            if not self._progress(event, now, out):
                return out
        elif isinstance(event, ProbeEvent):
            self._live.probe(event)
            return out
        elif isinstance(event, LoadReported):
            self._live.load_reported(event)
            return out
        else:
            self._take(event, now, out)
        # Most alarms ring for a look at the replicas that finds nothing: the queues stay as they
        # are, and policies need not be asked about them.
        only_looks = isinstance(event, Woke) and not self._alarms.is_due(now)
        health = self._health
        if self._live.room.any_waiting or health.outliers.any_ejected or health.is_look_due(now):
            self._look(event, now, out, only_looks=only_looks)
        elif out or not only_looks:
            self._alarms.nobody_waits()
        self._set_alarm(now, out)
        return out

    @property
    def replicas(self) -> tuple[ReplicaLoad, ...]:
        """What each replica owes now: live objects, to be read at once and never written."""
        return self._live.ledger.replicas()

    def replica(self, replica_id: str) -> ReplicaLoad | None:
        """Return the same of one replica; None where it is not up."""
        ledger = self._live.ledger
        return ledger.replica(replica_id) if ledger.has_replica(replica_id) else None

    def outlier_record(self, replica_id: str) -> OutlierRecord:
        """Return whether a replica that is up gets requests, and if not, why.

        Live, never to be written. Raises KeyError.
        """
        return self._health.outliers.record(replica_id)

    def is_waiting(self, request_id: str) -> bool:
        """Return whether the request is queued."""
        return request_id in self._live.room

    def waiting(self, model: str) -> int:
        """Return how many requests for the model are queued."""
        return self._live.room.waiting(model)

    @property
    def starves(self) -> bool:
        """Whether a request is queued that no replica takes, not even when it has room again."""
        return any(
            not self._live.ledger.serves_request(waiting.request, waiting.emitted)
            for _, queue in self._live.room.queues()
            for waiting in queue.everybody()
        )

    def load(self, model: str) -> float:
        """0..1: the share of the model's slots that is taken; 1 where requests queue."""
        return 1.0 if self.waiting(model) else self._live.ledger.occupied(model)

    # -- requests ------------------------------------------------------------------------------

    def _take(self, event: Event, now: float, out: list[Decision]) -> None:
        match event:
            case Submitted(request):
                self._submit(request, out)
            case Finished():
                self._finish(event, now, out)
            case AttemptFailed():
                self._fail(event, now, out)
            case Cancelled(request_id):
                self._withdraw(request_id, out)
            case ReplicaUp():
                self._live.add_replica(_load_of(event))
            case ReplicaChanged(replica_id, context, adapters):
                if self._live.ledger.has_replica(replica_id):
                    self._live.ledger.change_replica(replica_id, context, adapters)
                    self._timeouts.refuse_without_replica()
            case ReplicaResumed(replica_id):
                self._resume_replica(replica_id, now, out)
            case ReplicaDraining(replica_id):
                self._pause_replica(replica_id, self._live.ledger.drain_replica, now, out)
            case ReplicaAsleep(replica_id):
                self._pause_replica(replica_id, self._live.put_to_sleep, now, out)
            case ReplicaDown(replica_id):
                self._remove_replica(replica_id, now, out)
            case OthersRunning(replica_id, requests):
                if self._live.ledger.has_replica(replica_id):
                    self._live.ledger.set_others(replica_id, requests)
            case SyntheticTrialEnded(replica_id, seconds):
                if self._live.ledger.has_replica(replica_id):
                    out.extend(self._health.synthetic_trial_ended(replica_id, seconds, now))
            case Woke():
                self._alarms.woke()
            case _:
                raise AssertionError("told apart in handle")

    def _submit(self, request: Request, out: list[Decision]) -> None:
        if request.id in self._live:
            raise ValueError(f"request id {request.id!r} is in use")
        if request.supersede:
            for older in self._live.documents.of_same_document(request):
                self._withdraw(older.id, out)
                out.append(Reject(older.id, Refusal.SUPERSEDED))
        room = self._live.room
        too_many = room.one_too_many(request)
        if too_many is not None:
            self._live.drop(too_many)
            out.append(Reject(too_many, Refusal.OVERLOADED, room.retry_after(request.model)))
        if too_many == request.id:
            return
        self._live.enter(request)
        expires = request.expires(self._limits.max_wait_s)
        self._live.enqueue(Waiting(request, expires, min(expires, request.deadline)))

    def _withdraw(self, request_id: str, out: list[Decision]) -> None:
        attempt = self._live.ledger.attempt(request_id)
        if attempt is None:
            self._live.drop(request_id)
            return
        self._live.close(request_id, Ending.CANCELLED)
        self._live.end(attempt.request)
        out.append(Abort(request_id, attempt.number))

    # -- attempts ------------------------------------------------------------------------------

    def _progress(self, event: Progressed, now: float, out: list[Decision]) -> bool:
        # As `current`, without its call for each token.
        attempt = self._live.ledger.attempt(event.request_id)
        if attempt is None or attempt.number != event.attempt:
            return False
        begins = attempt.first_token_at is None
        looks = self._live.progress(attempt, event)
        if begins:
            self._live.troubles.began(attempt)
            out.extend(self._health.began(attempt, now))
        return looks or begins

    def _finish(self, event: Finished, now: float, out: list[Decision]) -> None:
        attempt = self._live.current(event.request_id, event.attempt)
        if attempt is not None:
            out.extend(self._health.finished(attempt, now))
            self._live.close(event.request_id, Ending.FINISHED)
            self._live.end(attempt.request)

    def _fail(self, event: AttemptFailed, now: float, out: list[Decision]) -> None:
        attempt = self._live.current(event.request_id, event.attempt)
        if attempt is not None:
            out.extend(self._health.failed(attempt, event, now))
            self._live.close(event.request_id, Ending.FAILED)
            self._recovery.failed(attempt, event, now, out)

    # -- replicas ------------------------------------------------------------------------------

    def _pause_replica(
        self, replica_id: str, pause: Callable[[str], None], now: float, out: list[Decision]
    ) -> None:
        """Send nothing new to a replica; `pause` records that it drains or sleeps."""
        replica = self.replica(replica_id)
        if replica is not None:
            pause(replica_id)
            out.extend(self._health.outliers.accept_again(replica.model, now))
            self._timeouts.refuse_without_replica()

    def _resume_replica(self, replica_id: str, now: float, out: list[Decision]) -> None:
        """Send requests to a replica that drained. It counts again among those in service."""
        replica = self.replica(replica_id)
        if replica is not None:
            self._live.ledger.resume_replica(replica_id)
            out.extend(self._health.outliers.accept_again(replica.model, now))

    def _remove_replica(self, replica_id: str, now: float, out: list[Decision]) -> None:
        replica = self.replica(replica_id)
        if replica is None:
            return
        lost = self._live.remove_replica(replica_id)
        out.extend(self._health.down(replica, now))
        self._recovery.replica_died(replica_id, lost, now, out)
        self._timeouts.refuse_without_replica()

    # -- the clock -----------------------------------------------------------------------------

    def _look(self, event: Event, now: float, out: list[Decision], *, only_looks: bool) -> None:
        """Send and refuse what the event and the time call for."""
        if isinstance(event, Submitted):
            # However short its budget is: where a replica is free, it is served.
            self._match(now, out, only_looks=only_looks)
            self._timeouts.expire(now, out)
        else:
            self._timeouts.expire(now, out)
            self._match(now, out, only_looks=only_looks)
        if self._health.outliers.any_ejected:
            out.extend(self._health.outliers.synthetic_trials(now))

    def _match(self, now: float, out: list[Decision], *, only_looks: bool) -> None:
        if self._health.is_look_due(now):
            self._recovery.look(now, out)
        if out or not only_looks or self._matching.has_trial(now):
            self._matching.dispatch(now, out)
            if self._health.outliers.any_ejected:
                self._timeouts.refuse_while_busy(now, out)

    def _set_alarm(self, now: float, out: list[Decision]) -> None:
        look, outliers = self._health.next_look, self._health.outliers
        if outliers.any_ejected:
            look = earliest(look, outliers.next_trial(now, self.waiting))
        wake = self._alarms.next_change(self._live.room, look)
        if wake is not None:
            out.append(WakeAt(wake))


def _load_of(event: ReplicaUp) -> ReplicaLoad:
    return ReplicaLoad(
        event.replica_id,
        event.model,
        event.max_running,
        event.profile,
        event.kept,
        event.context,
        frozenset(event.adapters),
        event.limits,
    )
