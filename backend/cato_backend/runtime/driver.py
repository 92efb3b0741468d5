"""Runs one request to its end: receives the scheduler's decisions, and makes the attempts.

What an attempt brings goes to the client: headers with the first token, then whatever the replica
sends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from cato_backend.errors import RequestCancelled as EndedByClient
from cato_backend.errors import RequestError
from cato_backend.runtime.answer import Relayed
from cato_backend.runtime.attempt import Attempts, Died, NotSent, Unreachable
from cato_backend.runtime.calls import Call, Sink, Started
from cato_backend.runtime.chunks import AttemptBroken
from cato_backend.runtime.dispatcher import Dispatcher
from cato_backend.runtime.event_log import RequestNotes
from cato_backend.runtime.facts import UpstreamRoute
from cato_backend.runtime.in_flight import (
    CallOutdated,
    Ended,
    InFlightRequest,
    Interrupted,
    Predicted,
    Recalled,
)
from cato_backend.runtime.outcomes import OutcomeRecorder
from cato_backend.runtime.predictions import Predictions
from cato_backend.runtime.replica_errors import Busy, Misdirected, PromptTooLong
from cato_backend.scheduling import AttemptFailed, Cause, Dispatch, Finished, Progressed
from cato_backend.wire import sse
from cato_backend.wire.headers import CancelReason

log = logging.getLogger(__name__)
Describe = Callable[[InFlightRequest, str], Started]
"""What the response headers tell of a flight that a replica (by id) has begun to answer."""


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
    """Carries out the scheduler's decisions on a request with attempts on replicas.

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
        notes: RequestNotes,
    ) -> None:
        self._dispatcher = dispatcher
        self._notes = notes
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
        flight.replica_id, flight.attempts = dispatch.replica_id, dispatch.attempt
        self._scores.dispatched(flight, dispatch)
        flight.predicted = self._predictions.of(flight.call.request, dispatch.replica_id)
        if self._notes and flight.predicted is not None:
            self._note(dispatch, flight.predicted)
        flight.trace.sent(dispatch, flight.predicted.service_s if flight.predicted else None)
        delivery.attempt(dispatch)
        try:
            async with flight.attempt(dispatch.attempt):
                leg = self._leg(flight.call, dispatch)
                await self._run(flight, leg, delivery)
        except Interrupted:
            flight.trace.interrupted()
            return False
        except Recalled:
            flight.trace.failed(Cause.RECALLED)
            self._recalled(dispatch)
            return False
        except AttemptBroken as error:
            flight.trace.failed(_cause(error)[0])
            self._broken(flight, dispatch, error)
            return False
        except asyncio.CancelledError:
            if flight.is_delivered:
                # A client may close its connection before the replica's stream has ended.
                self._finish(flight, dispatch)
            raise
        self._finish(flight, dispatch)
        return True

    def _note(self, dispatch: Dispatch, predicted: Predicted) -> None:
        note = self._predictions.note(dispatch, predicted)
        if note is not None:
            self._notes.tell(note)

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
            _warn(flight.call.request.id, replica_id, str(error))
            raise CallOutdated from error
        await delivery.settle()

    def _broken(self, flight: InFlightRequest, dispatch: Dispatch, error: AttemptBroken) -> None:
        _warn(dispatch.request_id, dispatch.replica_id, str(error))
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
        _warn(dispatch.request_id, dispatch.replica_id, "no token comes")
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

    def _finish(self, flight: InFlightRequest, dispatch: Dispatch) -> None:
        self._dispatcher.tell(Finished(dispatch.request_id, dispatch.attempt))
        flight.finished = True
        now = self._dispatcher.clock()
        self._scores.finished(flight, now)
        self._predictions.observe(flight, now)


def _warn(request_id: str, replica_id: str, problem: str) -> None:
    extra = {"request_id": request_id, "replica": replica_id}
    log.warning("request %s: replica %s: %s", request_id, replica_id, problem, extra=extra)


def _cause(error: AttemptBroken) -> tuple[Cause, float | None]:
    """Why, and when a busy replica wants to be asked again."""
    if isinstance(error, Busy):
        return Cause.BUSY, error.retry_after_s
    return (Cause.NOT_SENT if isinstance(error, NotSent) else Cause.ERROR), None


class Delivery:
    """An `Outlet`: the answer of one request to one sink, over all its attempts."""

    def __init__(
        self, flight: InFlightRequest, sink: Sink, dispatcher: Dispatcher, describe: Describe
    ) -> None:
        self._flight = flight
        self._sink = sink
        self._dispatcher = dispatcher
        self._describe = describe
        self._replica_id = ""
        self._attempt = 0

    def attempt(self, dispatch: Dispatch) -> None:
        """Take further events as those of this attempt."""
        self._replica_id, self._attempt = dispatch.replica_id, dispatch.attempt
        self._flight.waits_for_client = False

    def take(self, relayed: Relayed) -> bool:
        """Report progress to the scheduler, and everything from the first token on to the client.

        False where the client cannot be told at once: `settle` is due.
        """
        data, tokens, prompt_tokens, cached_tokens, shows = relayed
        flight = self._flight
        flight.output_tokens += tokens
        if tokens or prompt_tokens:
            name = flight.call.request.id
            progress = Progressed(name, self._attempt, tokens, prompt_tokens, cached_tokens)
            self._dispatcher.tell(progress)
        if flight.begun and not flight.held and (not data or self._sink.write_now(data)):
            return True
        flight.held += data
        # A chat's opening chunk shows nothing yet: another replica may still take over.
        return not (tokens or shows or flight.begun)

    async def settle(self) -> None:
        """Send what is held, under the headers if they have not left yet."""
        flight = self._flight
        data, flight.held = flight.held, b""
        if not data:
            return
        if not flight.begun:
            await self._begin()
        flight.waits_for_client = True
        await self._sink.write(data)
        flight.waits_for_client = False

    async def end(self, reason: CancelReason) -> None:
        """End the call that its client ended by name: properly, on a connection that stays."""
        if not self._flight.call.streams:
            raise EndedByClient(f"the client ended it: {reason}")
        if not self._flight.begun:
            self._replica_id = ""
            await self._begin()
        await self._sink.write(sse.event(sse.DONE))

    async def _begin(self) -> None:
        flight = self._flight
        flight.begun = True
        flight.first_token_at = self._dispatcher.clock()
        flight.trace.began()
        await self._sink.begin(self._describe(flight, self._replica_id))
