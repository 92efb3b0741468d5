"""Sends queued requests to the replicas that the policy picks, in the policy's order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from cato_backend.scheduling.decisions import Decision, Dispatch
from cato_backend.scheduling.fairness import Look
from cato_backend.scheduling.live import LiveRequests
from cato_backend.scheduling.outlier_record import OutlierRecord
from cato_backend.scheduling.policies.base import Hold, Place
from cato_backend.scheduling.queue import Alarms, Queue, Waiting
from cato_backend.scheduling.replica import ReplicaLoad

_LOOKED_THROUGH = 64
"""Queued requests among which one for a trial is sought."""


class Matching:
    """Goes through the queues, asks the policy about each request, and checks its answers."""

    def __init__(self, live: LiveRequests, alarms: Alarms) -> None:
        self._live = live
        self._outliers = live.health.outliers
        self._troubles = live.troubles
        self._alarms = alarms

    def has_trial(self, now: float) -> bool:
        """Return whether a queued request may be sent to a replica on trial."""
        return any(
            queue and self._outliers.awaiting_trial(model, now)
            for model, queue in self._live.room.queues()
        )

    def dispatch(self, now: float, out: list[Decision]) -> None:
        """Send what can be sent now."""
        look_again: list[float] = []
        room = self._live.room
        for model, queue in room.queues() if room.any_waiting else ():
            if not queue:
                continue
            for record in self._outliers.awaiting_trial(model, now):
                self._try(record, queue, now, out)
            if queue and self._live.ledger.with_room(model):
                self._serve(model, queue, look_again, out)
        if look_again:
            self._alarms.look_again(min((t for t in look_again if t > now), default=None))
        else:
            self._alarms.look_again(None)

    # -- as the policy says --------------------------------------------------------------------

    def _serve(
        self, model: str, queue: Queue, look_again: list[float], out: list[Decision]
    ) -> None:
        live = self._live
        for request_id in live.policy.looking(model, live.fleet):
            queue.wake(request_id)
        look = live.fairness[model].look(live.ledger.slots(model))
        for waiting in look.others_first(queue):
            if not live.ledger.with_room(model):
                return
            candidates = self._candidates(waiting, look)
            if not candidates:
                continue
            verdict = live.policy.place(waiting, candidates, live.fleet)
            if isinstance(verdict, Place):
                self._open(waiting, verdict, out)
            elif self._keep(waiting, verdict, queue, look_again):
                return

    def _candidates(self, waiting: Waiting, look: Look) -> Sequence[ReplicaLoad]:
        """Return the replicas with room that the policy may choose from for this request."""
        live, request = self._live, waiting.request
        candidates: Sequence[ReplicaLoad] = live.ledger.with_room(request.model)
        unreserved: Sequence[ReplicaLoad] | None = live.ledger.with_open_slot(request.model)
        if not live.ledger.fits_everywhere(request, waiting.emitted):
            candidates = [r for r in candidates if r.fits(request, waiting.emitted)]
            unreserved = None
        candidates = look.open_to(waiting, candidates, unreserved)
        if waiting.attempts:
            candidates = self._for_another_attempt(waiting, candidates)
        return candidates

    def _keep(self, waiting: Waiting, hold: Hold, queue: Queue, look_again: list[float]) -> bool:
        """Leave it queued; True where the rest is to be kept as well."""
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

    def _open(
        self, waiting: Waiting, place: Place, out: list[Decision], *, trial: bool = False
    ) -> None:
        attempt = self._live.open(waiting, place, trial=trial)
        request_id, (replica_id, priority, relegated) = attempt.request.id, place
        out.append(Dispatch(request_id, replica_id, attempt.number, priority, relegated))

    # -- another attempt -----------------------------------------------------------------------

    def _for_another_attempt(
        self, waiting: Waiting, candidates: Sequence[ReplicaLoad]
    ) -> Sequence[ReplicaLoad]:
        """Return the candidates without those that failed it.

        For a suspect, one that starts no other.
        """
        if waiting.avoid:
            candidates = self._without_failed(waiting, candidates)
        if self._troubles.is_suspect(waiting.request.id):
            return [r for r in candidates if not self._troubles.starts_suspect(r.replica_id)]
        return candidates

    def _without_failed(
        self, waiting: Waiting, candidates: Sequence[ReplicaLoad]
    ) -> Sequence[ReplicaLoad]:
        others = [
            replica
            for replica in self._live.ledger.of_model(waiting.request.model).values()
            if not replica.draining
            and not replica.suspended
            and replica.replica_id not in waiting.avoid
            and replica.fits(waiting.request, waiting.emitted)
        ]
        if others:
            return [r for r in candidates if r.replica_id not in waiting.avoid]
        # Where every replica has failed it once, any of them is better than none, after a while.
        return candidates if waiting.rests <= self._live.fleet.now else []

    # -- trials --------------------------------------------------------------------------------

    def _try(self, record: OutlierRecord, queue: Queue, now: float, out: list[Decision]) -> None:
        """Send a queued request to a replica on trial, past the policy, which may never do so."""
        waiting = next(self._fit_for_trial(record, queue, now), None)
        if waiting is None:
            return
        live, replica_id = self._live, record.replica.replica_id
        live.policy.withdrawn(waiting, live.fleet)
        live.ledger.resume(replica_id)
        self._open(waiting, Place(replica_id), out, trial=True)
        live.ledger.suspend(replica_id)

    def _fit_for_trial(self, record: OutlierRecord, queue: Queue, now: float) -> Iterator[Waiting]:
        for waiting in islice(queue, _LOOKED_THROUGH):
            if record.replica.replica_id in waiting.avoid:
                continue
            if not record.replica.fits(waiting.request, waiting.emitted):
                continue
            if not self._troubles.is_suspect(waiting.request.id) and record.suits(waiting, now):
                yield waiting
