"""The state machine itself: events in, decisions out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cato_backend.profile_files.profile import EngineLimits
from cato_backend.requests import BLOCK_CHARS, Request
from cato_backend.scheduling.alarms import Alarms
from cato_backend.scheduling.decisions import Abort, Decision, Dispatch, Refusal, Reject, WakeAt
from cato_backend.scheduling.documents import DocumentIndex
from cato_backend.scheduling.events import (
    AttemptFailed,
    Cancelled,
    Event,
    Finished,
    OthersRunning,
    ProbeEvent,
    Progressed,
    ReplicaDown,
    ReplicaDraining,
    ReplicaUp,
    Submitted,
    Woke,
)
from cato_backend.scheduling.fairness import Fairness
from cato_backend.scheduling.ledger import Ledger
from cato_backend.scheduling.limits import Limits
from cato_backend.scheduling.policies.base import Hold, Place, Policy
from cato_backend.scheduling.prefix import PrefixIndex
from cato_backend.scheduling.queue import Queue, Waiting
from cato_backend.scheduling.replica import Attempt, Ending, ReplicaLoad
from cato_backend.scheduling.view import FleetView, cached_tokens
from cato_backend.scheduling.waiting_room import WaitingRoom

_TOKENS_PER_BLOCK = BLOCK_CHARS / 3.0
"""Code takes some three characters a token; only the bound of the prefix index rests on it."""


class Scheduler:
    """Queue, ledger, supersession and retry around one policy.

    Invariants: a submitted request is in exactly one of queue and ledger until it finished, was
    cancelled or rejected; it is rejected at most once; no replica runs more than its limit.
    """

    def __init__(self, policy: Policy, limits: Limits | None = None) -> None:
        self._policy = policy
        self._limits = limits or Limits()
        self._alarms = Alarms()
        self._room = WaitingRoom(self._limits, self._alarms)
        self._ledger = Ledger()
        self._prefixes = PrefixIndex()
        self._fleet = FleetView(self._ledger, self._prefixes)
        self._documents = DocumentIndex()
        self._fairness = defaultdict[str, Fairness](Fairness)

    def handle(self, event: Event, now: float) -> list[Decision]:
        """Takes one event that happened at `now` and returns what is to be done, in order.

        Events about requests, attempts or replicas that are gone are ignored: a stream's end and a
        cancellation may cross on their way. Raises ValueError for a request or replica id in use.
        """
        self._fleet.now = now
        out: list[Decision] = []
        if isinstance(event, Progressed):
            if not self._progress(event, now):
                return out
        elif isinstance(event, ProbeEvent):
            self._probe(event, now)
            return out
        else:
            self._take_note(event, now, out)
        if isinstance(event, Submitted):
            # However short its budget is: where a replica is free, it is served.
            self._dispatch(now, out)
            self._expire(now, out)
        else:
            self._expire(now, out)
            self._dispatch(now, out)
        wake = self._alarms.next_change(self._room)
        if wake is not None:
            out.append(WakeAt(wake))
        return out

    @property
    def replicas(self) -> tuple[ReplicaLoad, ...]:
        """What each replica owes now: live objects, to be read at once and never written."""
        return self._ledger.replicas()

    def replica(self, replica_id: str) -> ReplicaLoad | None:
        """The same of one replica; None where it is not up."""
        return self._ledger.replica(replica_id) if self._ledger.has_replica(replica_id) else None

    def waiting(self, model: str) -> int:
        """How many requests for the model are queued."""
        return self._room.waiting(model)

    def load(self, model: str) -> float:
        """0..1: the share of the model's slots that is taken; 1 where requests queue."""
        return 1.0 if self.waiting(model) else self._ledger.occupied(model)

    # -- events --------------------------------------------------------------------------------

    def _take_note(self, event: Event, now: float, out: list[Decision]) -> None:
        match event:
            case Submitted(request):
                self._submit(request, out)
            case Finished(request_id, attempt):
                if self._current(request_id, attempt):
                    self._leave(self._close(request_id, Ending.FINISHED).request)
            case AttemptFailed(request_id, attempt, resumable):
                if self._current(request_id, attempt):
                    self._retry(self._close(request_id, Ending.FAILED), resumable, now, out)
            case Cancelled(request_id):
                self._withdraw(request_id, out)
            case ReplicaUp(replica_id, model, max_running, profile, kept):
                self._add_replica(ReplicaLoad(replica_id, model, max_running, profile, kept))
            case ReplicaDraining(replica_id):
                if self._ledger.has_replica(replica_id):
                    self._ledger.drain_replica(replica_id)
                    self._end_the_wait_of_the_late()
            case ReplicaDown(replica_id):
                self._remove_replica(replica_id, now, out)
            case OthersRunning(replica_id, requests):
                if self._ledger.has_replica(replica_id):
                    self._ledger.set_others(replica_id, requests)
            case Woke():
                self._alarms.woke()
            case _:
                raise AssertionError("told apart in handle")

    def _progress(self, event: Progressed, now: float) -> bool:
        attempt = self._current(event.request_id, event.attempt)
        if attempt is None:
            return False
        if event.cached_tokens is not None and not attempt.cache_told:
            self._prefixes.observe(attempt.replica_id, attempt.cached_tokens, event.cached_tokens)
        self._ledger.progress(attempt, event.tokens, now, event.prompt_tokens, event.cached_tokens)
        self._learn(attempt, event, now)
        return self._policy.progressed(attempt, event.tokens, self._fleet)

    def _learn(self, attempt: Attempt, event: Progressed, now: float) -> None:
        if not event.tokens:
            return
        replica = self._ledger.replica(attempt.replica_id)
        name = attempt.request.id
        if event.prompt_tokens is not None:
            uncached = attempt.prompt_tokens - attempt.cached_tokens
            replica.learned.counted(name, uncached, attempt.cached_tokens)
        probes = replica.probes
        decoding, kv_tokens = probes.decoding + replica.decoding, probes.kv_tokens
        replica.learned.tokens(name, event.tokens, now, decoding, kv_tokens + replica.kv_tokens)

    def _probe(self, event: ProbeEvent, now: float) -> None:
        if self._ledger.has_replica(event.replica_id):
            replica = self._ledger.replica(event.replica_id)
            replica.probes.take(event, replica.decoding, replica.kv_tokens, now)

    def _submit(self, request: Request, out: list[Decision]) -> None:
        if request.id in self._room or self._ledger.attempt(request.id):
            raise ValueError(f"request id {request.id!r} is in use")
        if request.supersede:
            for older in self._documents.of_same_document(request):
                self._withdraw(older.id, out)
                out.append(Reject(older.id, Refusal.SUPERSEDED))
        too_many = self._room.one_too_many(request)
        if too_many is not None:
            self._drop(too_many)
            retry_after_s = self._room.retry_after(request.model)
            out.append(Reject(too_many, Refusal.OVERLOADED, retry_after_s))
        if too_many == request.id:
            return
        self._enter(request)
        expires = request.expires(self._limits.max_wait_s)
        self._enqueue(Waiting(request, expires, min(expires, request.deadline)))

    def _withdraw(self, request_id: str, out: list[Decision]) -> None:
        attempt = self._ledger.attempt(request_id)
        if attempt is not None:
            self._close(request_id, Ending.CANCELLED)
            self._leave(attempt.request)
            out.append(Abort(request_id, attempt.number))
            return
        self._drop(request_id)

    def _retry(self, attempt: Attempt, resumable: bool, now: float, out: list[Decision]) -> None:
        request = attempt.request
        seen = attempt.emitted > 0
        lost = seen and not (resumable and request.resumable)
        if lost or attempt.number >= self._limits.max_attempts:
            self._leave(request)
            out.append(Reject(request.id, Refusal.REPLICA_FAILED))
            return
        expires = request.expires(self._limits.max_wait_s)
        gives_up = min(expires, request.deadline)
        if seen:
            # Its answer has begun: the wait for a first token no longer says what it is worth.
            expires = gives_up = now + self._limits.max_wait_s
        rests = now + self._limits.retry_delay_s * attempt.number
        self._alarms.set(rests, request.model, request.id)
        avoid = attempt.avoid | {attempt.replica_id}
        self._enqueue(
            Waiting(request, expires, gives_up, attempt.number, attempt.emitted, avoid, rests)
        )

    # -- replicas ------------------------------------------------------------------------------

    def _add_replica(self, replica: ReplicaLoad) -> None:
        if self._ledger.has_replica(replica.replica_id):
            raise ValueError(f"replica id {replica.replica_id!r} is in use")
        self._ledger.add_replica(replica)
        limits = replica.profile.limits if replica.profile else EngineLimits()
        self._prefixes.add_replica(replica.replica_id, int(limits.kv_tokens / _TOKENS_PER_BLOCK))
        self._policy.replica_up(replica, self._fleet)

    def _remove_replica(self, replica_id: str, now: float, out: list[Decision]) -> None:
        if not self._ledger.has_replica(replica_id):
            return
        lost = [
            self._close(request_id, Ending.FAILED)
            for request_id in list(self._ledger.replica(replica_id).attempts)
        ]
        self._ledger.remove_replica(replica_id)
        self._prefixes.remove_replica(replica_id)
        self._policy.replica_down(replica_id, self._fleet)
        for attempt in lost:
            out.append(Abort(attempt.request.id, attempt.number))
            self._retry(attempt, True, now, out)
        self._end_the_wait_of_the_late()

    def _end_the_wait_of_the_late(self) -> None:
        # Those whose deadline passed while a replica took requests have nothing left to wait for.
        for model, queue in self._room.queues():
            if not self._ledger.serves(model):
                for waiting in queue.everybody():
                    self._alarms.set(waiting.gives_up, model, waiting.request.id)

    # -- queue and ledger ----------------------------------------------------------------------

    def _enqueue(self, waiting: Waiting) -> None:
        self._room.put(waiting, self._policy.key(waiting, self._fleet))

    def _enter(self, request: Request) -> None:
        self._documents.add(request)
        self._fairness[request.model].enter(request.origin, self._fleet.now)

    def _leave(self, request: Request) -> None:
        self._documents.remove(request)
        self._fairness[request.model].leave(request.origin, self._fleet.now)

    def _drop(self, request_id: str) -> None:
        waiting = self._room.take(request_id)
        if waiting is not None:
            self._leave(waiting.request)
            self._policy.withdrawn(waiting, self._fleet)

    def _close(self, request_id: str, ending: Ending) -> Attempt:
        attempt = self._ledger.close(request_id)
        self._ledger.replica(attempt.replica_id).learned.left(request_id)
        self._policy.closed(attempt, ending, self._fleet)
        request, now = attempt.request, self._fleet.now
        self._fairness[request.model].decoded(
            request.origin, attempt.emitted - attempt.resumed, now
        )
        self._room.left_replica(request.model, now)
        return attempt

    def _current(self, request_id: str, number: int) -> Attempt | None:
        attempt = self._ledger.attempt(request_id)
        return attempt if attempt is not None and attempt.number == number else None

    def _expire(self, now: float, out: list[Decision]) -> None:
        for model, request_id in self._alarms.due(now):
            waiting = self._room.get(request_id)
            if waiting is None:
                continue
            served = self._ledger.serves(model)
            if waiting.expires <= now or (waiting.gives_up <= now and not served):
                self._drop(request_id)
                out.append(Reject(request_id, Refusal.EXPIRED if served else Refusal.NO_REPLICA))

    # -- dispatching ---------------------------------------------------------------------------

    def _dispatch(self, now: float, out: list[Decision]) -> None:
        look_again: list[float] = []
        for model, queue in self._room.queues():
            if queue and self._ledger.with_room(model):
                self._serve(model, queue, look_again, out)
        self._alarms.look_again(min((t for t in look_again if t > now), default=None))

    def _serve(
        self, model: str, queue: Queue, look_again: list[float], out: list[Decision]
    ) -> None:
        for request_id in self._policy.looking(model, self._fleet):
            queue.wake(request_id)
        look = self._fairness[model].look(self._ledger.slots(model))
        for waiting in look.others_first(queue):
            candidates: Sequence[ReplicaLoad] = self._ledger.with_room(model)
            if not candidates:
                return
            candidates = look.open_to(waiting, candidates)
            if waiting.avoid:
                candidates = self._without_failed(waiting, candidates)
            if not candidates:
                continue
            verdict = self._policy.place(waiting, candidates, self._fleet)
            if isinstance(verdict, Place):
                self._open(waiting, verdict, out)
            elif self._keep(waiting, verdict, queue, look_again):
                return

    def _keep(self, waiting: Waiting, hold: Hold, queue: Queue, look_again: list[float]) -> bool:
        """Leaves it queued; True where the rest is to be kept as well."""
        request = waiting.request
        if hold.key is not None:
            queue.move(request.id, hold.key)
        if hold.asleep:
            queue.sleep(request.id)
        if hold.until is not None:
            if hold.asleep:  # Later looks pass it by, and would forget the time.
                self._alarms.set(hold.until, request.model, request.id)
            else:
                look_again.append(hold.until)
        return hold.rest

    def _open(self, waiting: Waiting, place: Place, out: list[Decision]) -> None:
        request = waiting.request
        self._room.take(request.id)
        matched = self._prefixes.matched(place.replica_id, request.prompt_blocks)
        attempt = Attempt(
            request=request,
            number=waiting.attempts + 1,
            replica_id=place.replica_id,
            emitted=waiting.emitted,
            prompt_tokens=request.prompt_tokens + waiting.emitted,
            dispatched_at=self._fleet.now,
            cached_tokens=cached_tokens(request, matched),
            priority=place.priority,
            resumed=waiting.emitted,
            avoid=waiting.avoid,
        )
        self._ledger.open(attempt)
        self._fairness[request.model].prefilled(
            request.origin, attempt.pending_prefill, self._fleet.now
        )
        replica = self._ledger.replica(place.replica_id)
        replica.learned.dispatched(
            request.id,
            attempt.pending_prefill,
            attempt.cached_tokens,
            self._fleet.now,
            idle=replica.running == 1 and not replica.others and not replica.probes,
        )
        self._prefixes.record(place.replica_id, request.prompt_blocks)
        self._policy.opened(attempt, self._fleet)
        out.append(Dispatch(request.id, place.replica_id, attempt.number, place.priority))

    def _without_failed(
        self, waiting: Waiting, candidates: Sequence[ReplicaLoad]
    ) -> Sequence[ReplicaLoad]:
        accepting = [
            replica
            for replica in self._ledger.of_model(waiting.request.model).values()
            if not replica.draining and replica.replica_id not in waiting.avoid
        ]
        if accepting:
            return [r for r in candidates if r.replica_id not in waiting.avoid]
        # Where every replica has failed it once, any of them is better than none, after a while.
        return candidates if waiting.rests <= self._fleet.now else []
