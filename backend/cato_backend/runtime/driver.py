"""Runs one request to its end: takes the scheduler's decisions on it, and makes the attempts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from cato_backend.errors import RequestError
from cato_backend.runtime.attempt import Attempts, Died, NotSent, Unreachable
from cato_backend.runtime.calls import Call, Sink, Started
from cato_backend.runtime.chunks import AttemptBroken
from cato_backend.runtime.delivery import Delivery
from cato_backend.runtime.dispatcher import Dispatcher
from cato_backend.runtime.facts import UpstreamRoute
from cato_backend.runtime.in_flight import (
    CallOutdated,
    Ended,
    InFlightRequest,
    Interrupted,
    Recalled,
)
from cato_backend.runtime.outcomes import OutcomeRecorder
from cato_backend.runtime.predictions import Predictions
from cato_backend.runtime.replica_errors import Busy, Misdirected, PromptTooLong
from cato_backend.scheduling import AttemptFailed, Cause, Dispatch, Finished
from cato_backend.wire.headers import CancelReason

log = logging.getLogger(__name__)


class Membership(Protocol):
    """Receives what requests find out about replicas."""

    def lost(self, replica_id: str) -> None:
        """Handle a replica to which no connection could be opened."""
        ...

    def died(self, replica_id: str) -> None:
        """Handle a replica whose connections broke and that refuses new ones."""
        ...

    def suspect(self, replica_id: str) -> None:
        """Handle a replica that broke an attempt off."""
        ...

    async def confirm(self, replica_id: str) -> bool:
        """Describe a replica again; return whether it is up and serves what it served."""
        ...


class RequestDriver:
    """Stands between the scheduler's decisions on a request and the streams of replicas.

    `leg` tells where an attempt goes, and raises NotSent where that is gone.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        attempts: Attempts,
        scores: OutcomeRecorder,
        predictions: Predictions,
        leg: Callable[[Call, Dispatch], UpstreamRoute],
        membership: Membership,
    ) -> None:
        self._dispatcher = dispatcher
        self._attempts = attempts
        self._scores = scores
        self._predictions = predictions
        self._leg = leg
        self._membership = membership

    async def run(self, flight: InFlightRequest, sink: Sink) -> CancelReason | None:
        """Return why the client ended the call, where it did so by name.

        Raises RequestError, CallOutdated.
        """
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
                case RequestError() | CallOutdated() as error:
                    raise error

    async def _attempt(
        self, flight: InFlightRequest, dispatch: Dispatch, delivery: Delivery
    ) -> bool:
        """One attempt; True when it ended the call."""
        flight.dispatched_at = self._dispatcher.clock()
        self._scores.dispatched(flight, dispatch)
        flight.predicted = self._predictions.of(flight.call.request, dispatch.replica_id)
        delivery.attempt(dispatch)
        try:
            async with flight.attempt(dispatch.attempt):
                leg = self._leg(flight.call, dispatch)
                await self._run(flight, leg, delivery)
        except Interrupted:
            return False
        except Recalled:
            self._recalled(dispatch)
            return False
        except AttemptBroken as error:
            self._broken(flight, dispatch, error)
            return False
        self._dispatcher.tell(Finished(dispatch.request_id, dispatch.attempt))
        flight.finished = True
        self._finish(flight)
        return True

    async def _run(self, flight: InFlightRequest, leg: UpstreamRoute, delivery: Delivery) -> None:
        """Run one attempt.

        Raises AttemptBroken, RequestError, and CallOutdated where another replica or another model
        is to be tried.
        """
        try:
            await self._attempts.run(flight, leg, delivery)
        except PromptTooLong as error:
            if leg.larger_context is None or flight.begun:
                raise
            raise CallOutdated(leg.larger_context) from error
        except Misdirected as error:
            replica_id = leg.endpoint.replica_id
            if await self._membership.confirm(replica_id):
                raise error.verdict from error
            if flight.begun:
                raise AttemptBroken("it serves another model now") from error
            log.warning("request %s: %s: %s", flight.call.request.id, replica_id, error)
            raise CallOutdated from error
        await delivery.settle()

    def _broken(self, flight: InFlightRequest, dispatch: Dispatch, error: AttemptBroken) -> None:
        log.warning("request %s: replica %s: %s", dispatch.request_id, dispatch.replica_id, error)
        self._scores.broken()
        self._report(flight, dispatch.replica_id, error)
        cause, retry_after_s = _cause(error)
        failed = AttemptFailed(
            dispatch.request_id, dispatch.attempt, flight.can_move, cause, retry_after_s
        )
        self._dispatcher.tell(failed)

    def _report(self, flight: InFlightRequest, replica_id: str, error: AttemptBroken) -> None:
        """Tell what the failure says about the replica. Raises CallOutdated."""
        match error:
            case Died():
                self._membership.died(replica_id)
            case Unreachable():
                self._membership.lost(replica_id)
                if not flight.begun and not error.was_sent:
                    # Nothing was sent: the attempt does not count, and the call may go anywhere.
                    raise CallOutdated from error
            case Busy() | NotSent():
                pass
            case _:
                self._membership.suspect(replica_id)

    def _recalled(self, dispatch: Dispatch) -> None:
        log.warning(
            "request %s: replica %s: no token comes", dispatch.request_id, dispatch.replica_id
        )
        self._scores.moved()
        self._dispatcher.tell(
            AttemptFailed(dispatch.request_id, dispatch.attempt, cause=Cause.RECALLED)
        )

    def _describe(self, flight: InFlightRequest, replica_id: str) -> Started:
        request = flight.call.request
        started_at = flight.dispatched_at or request.arrival
        return Started(
            request_id=flight.call.name,
            task=request.task,
            replica_id=replica_id,
            queue_s=started_at - request.arrival,
            predicted_s=flight.predicted.service_s if flight.predicted else None,
            load=self._dispatcher.scheduler.load(request.model),
        )

    def _finish(self, flight: InFlightRequest) -> None:
        now = self._dispatcher.clock()
        self._scores.finished(flight, now)
        self._predictions.observe(flight, now)


def _cause(error: AttemptBroken) -> tuple[Cause, float | None]:
    """Why, and when a busy replica wants to be asked again."""
    if isinstance(error, Busy):
        return Cause.BUSY, error.retry_after_s
    return (Cause.NOT_SENT if isinstance(error, NotSent) else Cause.ERROR), None
