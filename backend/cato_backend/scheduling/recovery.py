"""Recovery of requests whose attempt failed: another attempt or a refusal; queue timeouts."""

from __future__ import annotations

import math

from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt, Ending
from cato_backend.scheduling.decisions import Abort, Decision, Recall, Refusal, Reject
from cato_backend.scheduling.events import AttemptFailed, Cause
from cato_backend.scheduling.limits import Limits
from cato_backend.scheduling.live import LiveRequests
from cato_backend.scheduling.queue import Alarms, Waiting

_SHORTEST_S, _LONGEST_S = 0.1, 60.0
"""After which a client is told to come back."""


class Recovery:
    """Moves requests away from replicas that failed, died or hang."""

    def __init__(self, live: LiveRequests, limits: Limits, alarms: Alarms) -> None:
        self._live = live
        self._health = live.health
        self._troubles = live.troubles
        self._limits = limits
        self._alarms = alarms

    def failed(
        self, attempt: Attempt, event: AttemptFailed, now: float, out: list[Decision]
    ) -> None:
        """Record that an attempt has failed, and is closed."""
        match event.cause:
            case Cause.ERROR | Cause.NOT_SENT:
                self._troubles.failed(attempt, now)
            case Cause.RECALLED:
                self._troubles.moved(attempt.request.id)
            case Cause.BUSY:
                pass
        avoid = event.cause is not Cause.BUSY
        self._again(attempt, now, out, resumable=event.resumable, avoid=avoid)

    def replica_died(
        self, replica_id: str, lost: list[Attempt], now: float, out: list[Decision]
    ) -> None:
        """Requeue or refuse the requests of a replica that has gone; its attempts are closed."""
        condemned = self._troubles.died(replica_id, lost, now)
        for attempt in lost:
            out.append(Abort(attempt.request.id, attempt.number))
            self._again(attempt, now, out)
        for request_id in condemned:
            self._refuse_wherever_it_is(request_id, out)

    def look(self, now: float, out: list[Decision]) -> None:
        """Look for replicas that are overdue, and take away what they have not begun."""
        looked = self._health.look(now)
        out.extend(looked.decisions)
        for replica in looked.overdue:
            for attempt in list(replica.attempts.values()):
                if attempt.silent:
                    self._take_away(attempt, now, out)
        out.extend(Recall(each.request.id, each.number) for each in looked.standstill)

    def _take_away(self, attempt: Attempt, now: float, out: list[Decision]) -> None:
        """From an overdue replica: for another, where its client still has use for the answer."""
        request = attempt.request
        # An answer that has begun is of use until its end.
        useful = attempt.emitted or now < request.expires(self._limits.max_wait_s)
        if not useful:
            self._live.close(request.id, Ending.FAILED)
            out.append(Abort(request.id, attempt.number))
            self._refuse(request, Refusal.EXPIRED, out)
        elif self._troubles.may_move(request.id) and (request.resumable or not attempt.emitted):
            self._troubles.moved(request.id)
            self._live.close(request.id, Ending.FAILED)
            out.append(Abort(request.id, attempt.number, moved=True))
            self._again(attempt, now, out)

    def _again(
        self,
        attempt: Attempt,
        now: float,
        out: list[Decision],
        *,
        resumable: bool = True,
        avoid: bool = True,
    ) -> None:
        """Queue the request of an attempt that is over, unless there is a reason against it."""
        request, limits = attempt.request, self._limits
        seen = attempt.emitted > 0
        refusal = self._troubles.refusal(request.id)
        if refusal is None and seen and not (resumable and request.resumable):
            refusal = Refusal.REPLICA_FAILED
        if refusal is not None:
            self._refuse(request, refusal, out)
            return
        expires = request.expires(limits.max_wait_s)
        gives_up = min(expires, request.deadline)
        if seen:
            # Its answer has begun: the wait for a first token no longer says what it is worth.
            expires = gives_up = now + limits.max_wait_s
        rests = now + limits.retry_delay_s * attempt.number
        self._alarms.set(rests, request.model, request.id)
        avoided = attempt.avoid | {attempt.replica_id} if avoid else attempt.avoid
        self._live.enqueue(
            Waiting(request, expires, gives_up, attempt.number, attempt.emitted, avoided, rests)
        )

    def _refuse(self, request: Request, refusal: Refusal, out: list[Decision]) -> None:
        if refusal is Refusal.REPLICA_FAILED:
            self._health.outliers.forgive(self._troubles.failed_on(request.id))
        self._live.end(request)
        out.append(Reject(request.id, refusal))

    def _refuse_wherever_it_is(self, request_id: str, out: list[Decision]) -> None:
        """Unless a replica has begun to answer it meanwhile."""
        attempt, waiting = self._live.ledger.attempt(request_id), self._live.room.get(request_id)
        refusal = self._troubles.refusal(request_id)
        if refusal is None:
            return
        if waiting is not None:
            self._live.drop(request_id)
            self._refuse(waiting.request, refusal, out)
        elif attempt is not None and attempt.silent:
            self._live.close(request_id, Ending.FAILED)
            out.append(Abort(request_id, attempt.number))
            self._refuse(attempt.request, refusal, out)


class QueueTimeouts:
    """Timeouts of queued requests: their queue timeout or, without a replica, their deadline."""

    def __init__(self, live: LiveRequests, alarms: Alarms) -> None:
        self._live = live
        self._outliers = live.health.outliers
        self._alarms = alarms

    def expire(self, now: float, out: list[Decision]) -> None:
        """Refuse those whose time has come."""
        for _, request_id in self._alarms.due(now):
            waiting = self._live.room.get(request_id)
            if waiting is not None:
                self._look_at(waiting, now, out)

    def refuse_without_replica(self) -> None:
        """Refuse what only waited for a replica that has gone or takes nothing new.

        Requests whose deadline passed while their model had a replica have nothing left to wait for
        if it was the last.
        """
        for model, queue in self._live.room.queues():
            for waiting in queue.everybody():
                if not self._live.ledger.serves_request(waiting.request, waiting.emitted):
                    self._alarms.set(waiting.gives_up, model, waiting.request.id)

    def refuse_while_busy(self, now: float, out: list[Decision]) -> None:
        """Refuse those that wait for replicas which will all refuse them until their deadline."""
        for model, queue in self._live.room.queues():
            if not queue or self._outliers.serves(model) or not self._live.ledger.serves(model):
                continue
            again_at = self._outliers.earliest_trial(model)
            for waiting in queue.everybody():
                if waiting.gives_up < again_at:
                    self._refuse(waiting, Refusal.REPLICAS_BUSY, now, out)

    def _look_at(self, waiting: Waiting, now: float, out: list[Decision]) -> None:
        served = self._live.ledger.serves_request(waiting.request, waiting.emitted)
        if waiting.expires <= now:
            self._refuse(waiting, Refusal.EXPIRED if served else Refusal.NO_REPLICA, now, out)
        elif waiting.gives_up <= now and not served:
            self._refuse(waiting, Refusal.NO_REPLICA, now, out)
        elif waiting.gives_up <= now and self._refuses(waiting.request.model):
            self._refuse(waiting, Refusal.REPLICAS_BUSY, now, out)

    def _refuses(self, model: str) -> bool:
        """Return whether every replica of a model that takes requests refuses them for now."""
        return self._live.ledger.serves(model) and not self._outliers.serves(model)

    def _refuse(self, waiting: Waiting, refusal: Refusal, now: float, out: list[Decision]) -> None:
        self._live.drop(waiting.request.id)
        retry_after_s = 0.0
        if refusal is Refusal.REPLICAS_BUSY:
            wait_s = self._outliers.earliest_trial(waiting.request.model) - now
            assert math.isfinite(wait_s), "none is in service, so some are ejected"
            retry_after_s = min(_LONGEST_S, max(_SHORTEST_S, wait_s))
        out.append(Reject(waiting.request.id, refusal, retry_after_s))
