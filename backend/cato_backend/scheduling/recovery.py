"""What follows when an attempt ends without an answer: another one, or a refusal."""

from __future__ import annotations

from cato_backend.requests import Request
from cato_backend.scheduling.alarms import Alarms
from cato_backend.scheduling.decisions import Abort, Decision, Recall, Refusal, Reject
from cato_backend.scheduling.events import AttemptFailed, Cause
from cato_backend.scheduling.limits import Limits
from cato_backend.scheduling.live import LiveRequests
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import Attempt, Ending


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
        """An attempt has failed, and is closed."""
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
        """A replica has gone, and these attempts with it; they are closed."""
        condemned = self._troubles.died(replica_id, lost, now)
        for attempt in lost:
            out.append(Abort(attempt.request.id, attempt.number))
            self._again(attempt, now, out)
        for request_id in condemned:
            self._refuse_wherever_it_is(request_id, out)

    def look(self, now: float, out: list[Decision]) -> None:
        """Looks for replicas that are overdue, and takes away what they have not begun."""
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
        """Queues the request of an attempt that is over, unless there is a reason against it."""
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
