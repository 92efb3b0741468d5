"""The state machine itself: events in, decisions out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from cato_backend.requests import Request
from cato_backend.scheduling.alarms import Alarms
from cato_backend.scheduling.decisions import Abort, Decision, Dispatch, Refusal, Reject, WakeAt
from cato_backend.scheduling.documents import DocumentIndex
from cato_backend.scheduling.events import (
    AttemptFailed,
    Cancelled,
    Event,
    Finished,
    Progressed,
    ReplicaDown,
    ReplicaUp,
    Submitted,
    Woke,
)
from cato_backend.scheduling.ledger import Attempt, Ledger, ReplicaLoad
from cato_backend.scheduling.pace import Pace
from cato_backend.scheduling.policies import Policy
from cato_backend.scheduling.queue import Queue, Waiting


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that no policy may cross."""

    max_waiting: int = 1000
    """Queued requests per model."""
    max_waiting_per_session: int = 64
    max_wait_s: float = 60.0
    max_attempts: int = 3
    retry_delay_s: float = 0.5
    """Before a replica is tried again that just failed the request, times the attempts so far. A
    replica that died is known to be down by then, and costs no further attempt."""


class Scheduler:
    """Queue, ledger, supersession and retry around one policy.

    Invariants: a submitted request is in exactly one of queue and ledger until it finished, was
    cancelled or rejected; it is rejected at most once; no replica runs more than its limit.
    """

    def __init__(self, policy: Policy, limits: Limits | None = None) -> None:
        self._policy = policy
        self._limits = limits or Limits()
        self._queues: defaultdict[str, Queue] = defaultdict(Queue)
        self._waiting_per_session: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._ledger = Ledger()
        self._documents = DocumentIndex()
        self._alarms = Alarms()
        self._pace = Pace()

    def handle(self, event: Event, now: float) -> list[Decision]:
        """Takes one event that happened at `now` and returns what is to be done, in order.

        Events about requests, attempts or replicas that are gone are ignored: a stream's end and a
        cancellation may cross on their way. Raises ValueError for a request or replica id in use.
        """
        decisions: list[Decision] = []
        match event:
            case Submitted(request):
                self._submit(request, decisions)
            case Progressed(request_id, attempt, tokens, prompt_tokens):
                if self._is_current(request_id, attempt):
                    self._ledger.progress(request_id, tokens, prompt_tokens)
                return decisions
            case Finished(request_id, attempt):
                if self._is_current(request_id, attempt):
                    self._documents.remove(self._ledger.close(request_id).request)
                    self._pace.finished(now)
            case AttemptFailed(request_id, attempt, resumable):
                if self._is_current(request_id, attempt):
                    self._retry(self._ledger.close(request_id), resumable, now, decisions)
            case Cancelled(request_id):
                self._withdraw(request_id, decisions)
            case ReplicaUp(replica_id, model, max_running):
                self._add_replica(ReplicaLoad(replica_id, model, max_running))
            case ReplicaDown(replica_id):
                self._remove_replica(replica_id, now, decisions)
            case Woke():
                self._alarms.woke()
        self._expire(now, decisions)
        self._dispatch(now, decisions)
        wake = self._alarms.next_change()
        if wake is not None:
            decisions.append(WakeAt(wake))
        return decisions

    @property
    def replicas(self) -> tuple[ReplicaLoad, ...]:
        """What each replica owes now."""
        return self._ledger.replicas()

    def waiting(self, model: str) -> int:
        """How many requests for the model are queued."""
        return len(self._queues[model])

    def load(self, model: str) -> float:
        """0..1: the share of the model's slots that is taken; 1 where requests queue."""
        replicas = [r for r in self._ledger.replicas() if r.model == model]
        slots = sum(r.max_running for r in replicas)
        if slots == 0 or self._queues[model]:
            return 1.0
        return sum(r.running for r in replicas) / slots

    def _submit(self, request: Request, out: list[Decision]) -> None:
        if request.id in self._queues[request.model] or self._ledger.attempt(request.id):
            raise ValueError(f"request id {request.id!r} is in use")
        if request.supersede:
            for older in self._documents.of_same_document(request):
                self._withdraw(older.id, out)
                out.append(Reject(older.id, Refusal.SUPERSEDED))
        if self._is_full(request):
            retry_after_s = self._pace.wait_for(len(self._queues[request.model]))
            out.append(Reject(request.id, Refusal.OVERLOADED, retry_after_s))
            return
        self._documents.add(request)
        expires = request.expires(self._limits.max_wait_s)
        self._enqueue(Waiting(request, expires, min(expires, request.deadline)))

    def _is_full(self, request: Request) -> bool:
        limits = self._limits
        session = (request.origin.tenant, request.origin.session)
        return (
            len(self._queues[request.model]) >= limits.max_waiting
            or self._waiting_per_session[session] >= limits.max_waiting_per_session
        )

    def _enqueue(self, waiting: Waiting) -> None:
        request = waiting.request
        self._queues[request.model].put(waiting, self._policy.key(request))
        self._waiting_per_session[request.origin.tenant, request.origin.session] += 1
        self._alarms.set(waiting.gives_up, request.model, request.id)
        self._alarms.set(waiting.expires, request.model, request.id)

    def _take(self, model: str, request_id: str) -> Waiting | None:
        waiting = self._queues[model].take(request_id)
        if waiting is not None:
            origin = waiting.request.origin
            session = (origin.tenant, origin.session)
            self._waiting_per_session[session] -= 1
            if not self._waiting_per_session[session]:
                del self._waiting_per_session[session]
        return waiting

    def _withdraw(self, request_id: str, out: list[Decision]) -> None:
        attempt = self._ledger.attempt(request_id)
        if attempt is not None:
            self._ledger.close(request_id)
            self._documents.remove(attempt.request)
            out.append(Abort(request_id, attempt.number))
            return
        for model in self._queues:
            waiting = self._take(model, request_id)
            if waiting is not None:
                self._documents.remove(waiting.request)
                return

    def _add_replica(self, replica: ReplicaLoad) -> None:
        if self._ledger.has_replica(replica.replica_id):
            raise ValueError(f"replica id {replica.replica_id!r} is in use")
        self._ledger.add_replica(replica)

    def _remove_replica(self, replica_id: str, now: float, out: list[Decision]) -> None:
        if not self._ledger.has_replica(replica_id):
            return
        for attempt in self._ledger.remove_replica(replica_id):
            out.append(Abort(attempt.request.id, attempt.number))
            self._retry(attempt, True, now, out)
        for model, queue in self._queues.items():
            if not self._ledger.serves(model):
                # Those whose deadline passed while a replica was up have nothing left to wait for.
                for waiting in queue:
                    self._alarms.set(waiting.gives_up, model, waiting.request.id)

    def _retry(self, attempt: Attempt, resumable: bool, now: float, out: list[Decision]) -> None:
        request = attempt.request
        seen = attempt.emitted > 0
        lost = seen and not (resumable and request.resumable)
        if lost or attempt.number >= self._limits.max_attempts:
            self._documents.remove(request)
            out.append(Reject(request.id, Refusal.REPLICA_FAILED))
            return
        expires = request.expires(self._limits.max_wait_s)
        gives_up = min(expires, request.deadline)
        if (
            seen
        ):  # Its answer has begun: the wait for a first token no longer says what it is worth.
            expires = gives_up = now + self._limits.max_wait_s
        rests = now + self._limits.retry_delay_s * attempt.number
        self._alarms.set(rests, request.model, request.id)
        avoid = attempt.avoid | {attempt.replica_id}
        self._enqueue(
            Waiting(request, expires, gives_up, attempt.number, attempt.emitted, avoid, rests)
        )

    def _expire(self, now: float, out: list[Decision]) -> None:
        for model, request_id in self._alarms.due(now):
            waiting = self._queues[model].get(request_id)
            if waiting is None:
                continue
            served = self._ledger.serves(model)
            if waiting.expires <= now or (waiting.gives_up <= now and not served):
                self._take(model, request_id)
                self._documents.remove(waiting.request)
                refusal = Refusal.EXPIRED if served else Refusal.NO_REPLICA
                out.append(Reject(request_id, refusal))

    def _dispatch(self, now: float, out: list[Decision]) -> None:
        for model, queue in self._queues.items():
            if not queue or not self._ledger.with_room(model):
                continue
            for waiting in queue:
                candidates = self._ledger.with_room(model)
                if not candidates:
                    break
                self._place(waiting, candidates, now, out)

    def _place(
        self,
        waiting: Waiting,
        candidates: tuple[ReplicaLoad, ...],
        now: float,
        out: list[Decision],
    ) -> None:
        request = waiting.request
        if waiting.avoid:
            candidates = self._without_failed(waiting, candidates, now)
            if not candidates:
                return
        chosen = self._policy.choose(request, candidates).replica_id
        self._take(request.model, request.id)
        attempt = Attempt(
            request=request,
            number=waiting.attempts + 1,
            replica_id=chosen,
            emitted=waiting.emitted,
            prompt_tokens=request.prompt_tokens + waiting.emitted,
            avoid=waiting.avoid,
        )
        self._ledger.open(attempt)
        out.append(Dispatch(request.id, chosen, attempt.number))

    def _without_failed(
        self, waiting: Waiting, candidates: tuple[ReplicaLoad, ...], now: float
    ) -> tuple[ReplicaLoad, ...]:
        others = {
            r.replica_id
            for r in self._ledger.replicas()
            if r.model == waiting.request.model and r.replica_id not in waiting.avoid
        }
        if others:
            return tuple(r for r in candidates if r.replica_id in others)
        # Where every replica has failed it once, any of them is better than none, after a while.
        return candidates if waiting.rests <= now else ()

    def _is_current(self, request_id: str, number: int) -> bool:
        attempt = self._ledger.attempt(request_id)
        return attempt is not None and attempt.number == number
