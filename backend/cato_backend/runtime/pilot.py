"""Brings one call to its end: verdict after verdict, attempt after attempt."""

from __future__ import annotations

import logging
from collections.abc import Callable

from cato_backend.errors import RequestError
from cato_backend.runtime.attempt import Attempts, Died, NotSent, Unreachable
from cato_backend.runtime.calls import Call, Sink, Started
from cato_backend.runtime.chunks import AttemptBroken
from cato_backend.runtime.delivery import Delivery
from cato_backend.runtime.dispatcher import Dispatcher
from cato_backend.runtime.facts import Leg
from cato_backend.runtime.flight import Ended, Flight, Interrupted, Recalled
from cato_backend.runtime.outcomes import Scorekeeper
from cato_backend.runtime.predictions import Predictions
from cato_backend.runtime.replica_errors import Busy
from cato_backend.scheduling import AttemptFailed, Cause, Dispatch, Finished
from cato_backend.wire.headers import CancelReason

log = logging.getLogger(__name__)


class Pilot:
    """Between the scheduler's verdicts on a call and the replicas' streams.

    `leg` tells where an attempt goes, and raises NotSent where that is gone; `on_unreachable` is
    told the id of each replica that has died or could not be connected to.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        attempts: Attempts,
        scores: Scorekeeper,
        predictions: Predictions,
        leg: Callable[[Call, Dispatch], Leg],
        on_unreachable: Callable[[str], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._attempts = attempts
        self._scores = scores
        self._predictions = predictions
        self._leg = leg
        self._on_unreachable = on_unreachable

    async def fly(self, flight: Flight, sink: Sink) -> CancelReason | None:
        """Returns why the client ended the call, where it did so by name. Raises RequestError."""
        delivery = Delivery(flight, sink, self._dispatcher, self._describe)
        while True:
            match await flight.next_verdict():
                case Dispatch() as dispatch:
                    if await self._attempt(flight, dispatch, delivery):
                        return None
                case Ended(reason):
                    await delivery.end(reason)
                    self._scores.ended(flight, reason, self._dispatcher.clock())
                    return reason
                case RequestError() as error:
                    raise error

    async def _attempt(self, flight: Flight, dispatch: Dispatch, delivery: Delivery) -> bool:
        """One attempt; True when it ended the call."""
        flight.dispatched_at = self._dispatcher.clock()
        self._scores.dispatched(flight, dispatch)
        flight.predicted = self._predictions.of(flight.call.request, dispatch.replica_id)
        delivery.attempt(dispatch)
        try:
            async with flight.attempt(dispatch.attempt):
                leg = self._leg(flight.call, dispatch)
                await self._attempts.run(flight, leg, delivery)
                await delivery.settle()
        except Interrupted:
            return False
        except Recalled:
            self._recalled(dispatch)
            return False
        except AttemptBroken as error:
            self._broken(flight, dispatch, error)
            return False
        self._dispatcher.tell(Finished(dispatch.request_id, dispatch.attempt))
        self._finish(flight)
        return True

    def _broken(self, flight: Flight, dispatch: Dispatch, error: AttemptBroken) -> None:
        log.warning("request %s: replica %s: %s", dispatch.request_id, dispatch.replica_id, error)
        self._scores.broken()
        if isinstance(error, (Unreachable, Died)):
            self._on_unreachable(dispatch.replica_id)
        cause, retry_after_s = _cause(error)
        failed = AttemptFailed(
            dispatch.request_id, dispatch.attempt, flight.can_move, cause, retry_after_s
        )
        self._dispatcher.tell(failed)

    def _recalled(self, dispatch: Dispatch) -> None:
        log.warning(
            "request %s: replica %s: no token comes", dispatch.request_id, dispatch.replica_id
        )
        self._scores.moved()
        self._dispatcher.tell(
            AttemptFailed(dispatch.request_id, dispatch.attempt, cause=Cause.RECALLED)
        )

    def _describe(self, flight: Flight, replica_id: str) -> Started:
        request = flight.call.request
        started_at = flight.dispatched_at or request.arrival
        return Started(
            request_id=request.id,
            replica_id=replica_id,
            queue_s=started_at - request.arrival,
            predicted_s=flight.predicted.service_s if flight.predicted else None,
            load=self._dispatcher.scheduler.load(request.model),
        )

    def _finish(self, flight: Flight) -> None:
        now = self._dispatcher.clock()
        self._scores.finished(flight, now)
        self._predictions.observe(flight, now)


def _cause(error: AttemptBroken) -> tuple[Cause, float | None]:
    """Why, and when a busy replica wants to be asked again."""
    if isinstance(error, Busy):
        return Cause.BUSY, error.retry_after_s
    return (Cause.NOT_SENT if isinstance(error, NotSent) else Cause.ERROR), None
