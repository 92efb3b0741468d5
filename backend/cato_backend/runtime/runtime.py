"""Drives the scheduler: clocks and streams on one side, events and decisions on the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from cato_backend.clock import Clock, monotonic
from cato_backend.errors import Cancelled as EndedByClient
from cato_backend.errors import InvalidRequest, NotFound, RequestError
from cato_backend.metrics import Metrics
from cato_backend.prediction.recent import RecentService
from cato_backend.runtime.answer import AttemptBroken, Relayed
from cato_backend.runtime.attempt import Attempts, Unreachable
from cato_backend.runtime.calls import Call, Sink, Started
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.facts import Endpoint, ModelFacts
from cato_backend.runtime.flight import Ended, Flight, Interrupted
from cato_backend.runtime.outcomes import Scorekeeper
from cato_backend.runtime.refusals import refused
from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Cancelled,
    Decision,
    Dispatch,
    Event,
    Finished,
    Progressed,
    Reject,
    ReplicaDown,
    ReplicaLoad,
    ReplicaUp,
    Scheduler,
    Submitted,
    WakeAt,
    Woke,
)
from cato_backend.wire import sse
from cato_backend.wire.headers import CancelReason

log = logging.getLogger(__name__)


class Runtime:
    """The live backend between gateway and replicas. All methods belong to one event loop."""

    def __init__(
        self,
        scheduler: Scheduler,
        catalog: Catalog,
        attempts: Attempts,
        metrics: Metrics,
        clock: Clock = monotonic,
    ) -> None:
        self.catalog = catalog
        self.metrics = metrics
        self.clock = clock
        self.last_asked = clock()
        """When a client last asked for anything, or its last answer ended."""
        self._scheduler = scheduler
        self._attempts = attempts
        self._scores = Scorekeeper(metrics)
        self._recent = RecentService()
        self._flights: dict[str, Flight] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._on_unreachable: Callable[[str], None] = self.remove_replica

    # -- replicas ------------------------------------------------------------------------------

    def add_replica(self, endpoint: Endpoint, facts: ModelFacts, max_running: int) -> None:
        """A replica is healthy and its model known."""
        self.catalog.learn(facts)
        self._endpoints[endpoint.replica_id] = endpoint
        self._tell(ReplicaUp(endpoint.replica_id, facts.name, max_running))

    def remove_replica(self, replica_id: str) -> None:
        """A replica is gone; what ran on it moves."""
        if self._endpoints.pop(replica_id, None) is not None:
            self._tell(ReplicaDown(replica_id))

    def on_unreachable(self, listener: Callable[[str], None]) -> None:
        """`listener` is told the id of each replica that could not be connected to."""
        self._on_unreachable = listener

    def replicas(self) -> tuple[ReplicaLoad, ...]:
        """What each replica owes now."""
        return self._scheduler.replicas

    def load(self, model: str) -> float:
        """0..1: how full the model's replicas are."""
        return self._scheduler.load(model)

    def waiting(self, model: str) -> int:
        """Queued requests of the model."""
        return self._scheduler.waiting(model)

    @property
    def in_flight(self) -> int:
        """Calls that have not ended."""
        return len(self._flights)

    # -- calls ---------------------------------------------------------------------------------

    async def run(self, call: Call, sink: Sink) -> bool:
        """Serves one call into `sink`; False where the client ended it by name.

        Raises RequestError; cancel the task to end the call.
        """
        request = call.request
        if request.id in self._flights:
            raise InvalidRequest(f"x-request-id: {request.id!r} is in use", param="x-request-id")
        flight = self._flights[request.id] = Flight(call)
        self._tell(Submitted(request))
        try:
            return await self._fly(flight, sink)
        except RequestError as error:
            self._scores.refused(request, error.code)
            raise
        except asyncio.CancelledError:
            self._scores.cancelled(request)
            raise
        finally:
            del self._flights[request.id]
            self.last_asked = self.clock()
            self._tell(Cancelled(request.id))

    def cancel(self, request_id: str, tenant: str, reason: CancelReason) -> None:
        """Ends a live call of this tenant at once. Raises NotFound."""
        flight = self._flights.get(request_id)
        if flight is None or flight.call.request.origin.tenant != tenant:
            raise NotFound(f"request {request_id!r} is not live", param="id")
        self._tell(Cancelled(request_id))
        flight.post(Ended(reason))

    async def _fly(self, flight: Flight, sink: Sink) -> bool:
        while True:
            match await flight.next_verdict():
                case Dispatch() as dispatch:
                    if await self._attempt(flight, dispatch, sink):
                        return True
                case Ended(reason):
                    await self._end(flight, sink, reason)
                    return False
                case RequestError() as error:
                    raise error

    async def _attempt(self, flight: Flight, dispatch: Dispatch, sink: Sink) -> bool:
        """One attempt; True when it ended the call."""
        request = flight.call.request
        flight.dispatched_at = self.clock()
        try:
            async with flight.attempt(dispatch.attempt):
                await self._stream(flight, dispatch, sink)
                await self._pass_on(flight, dispatch.replica_id, b"", sink)
        except Interrupted:
            return False
        except AttemptBroken as error:
            log.warning("request %s: replica %s: %s", request.id, dispatch.replica_id, error)
            self.metrics.retries.inc()
            if isinstance(error, Unreachable):
                self._on_unreachable(dispatch.replica_id)
            resumable = self._attempts.can_resume(flight)
            self._tell(AttemptFailed(request.id, dispatch.attempt, resumable))
            return False
        self._tell(Finished(request.id, dispatch.attempt))
        self._finish(flight)
        return True

    async def _stream(self, flight: Flight, dispatch: Dispatch, sink: Sink) -> None:
        request = flight.call.request
        endpoint = self._endpoints.get(dispatch.replica_id)
        if endpoint is None:
            raise AttemptBroken("it is gone")
        facts, ratio = self.catalog.facts(request.model), self.catalog.ratio(request.model)

        async def emit(relayed: Relayed) -> None:
            await self._relay(flight, dispatch, relayed, sink)

        await self._attempts.run(flight, endpoint, facts, ratio, emit)

    async def _relay(
        self, flight: Flight, dispatch: Dispatch, relayed: Relayed, sink: Sink
    ) -> None:
        if relayed.tokens or relayed.prompt_tokens:
            request_id = flight.call.request.id
            self._tell(
                Progressed(request_id, dispatch.attempt, relayed.tokens, relayed.prompt_tokens)
            )
        if relayed.tokens or flight.begun:
            await self._pass_on(flight, dispatch.replica_id, relayed.data, sink)
        else:  # A chat's opening chunk says nothing yet: another replica may still take over.
            flight.held += relayed.data

    async def _pass_on(self, flight: Flight, replica_id: str, data: bytes, sink: Sink) -> None:
        """Sends what was held and `data`, under the headers if they have not left yet."""
        data = flight.held + data
        if not data:
            return
        flight.held = b""
        if not flight.begun:
            await self._begin(flight, replica_id, sink)
        await sink.write(data)

    async def _begin(self, flight: Flight, replica_id: str, sink: Sink) -> None:
        flight.begun = True
        flight.first_token_at = self.clock()
        request = flight.call.request
        started_at = flight.dispatched_at or request.arrival
        await sink.begin(
            Started(
                request_id=request.id,
                replica_id=replica_id,
                queue_s=started_at - request.arrival,
                predicted_s=self._recent.predict(request.model, request.task),
                load=self.load(request.model),
            )
        )

    async def _end(self, flight: Flight, sink: Sink, reason: CancelReason) -> None:
        """The client ended its call by name: its stream ends properly, its connection stays."""
        if not flight.call.streams:
            raise EndedByClient(f"the client ended it: {reason}")
        self._scores.ended(flight, reason)
        if not flight.begun:
            await self._begin(flight, "", sink)
        await sink.write(sse.event(sse.DONE))

    def _finish(self, flight: Flight) -> None:
        now = self.clock()
        request = flight.call.request
        self._scores.finished(flight, now)
        promised = flight.first_token_at if request.target.e2e_s is None else now
        if flight.dispatched_at is not None and promised is not None:
            self._recent.observe(request.model, request.task, promised - flight.dispatched_at)

    # -- the scheduler -------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        for decision in self._scheduler.handle(event, self.clock()):
            self._carry_out(decision)

    def _carry_out(self, decision: Decision) -> None:
        match decision:
            case WakeAt(time):
                self._set_alarm(time)
            case Dispatch(request_id):
                self._post(request_id, decision)
            case Abort(request_id, attempt):
                if request_id in self._flights:
                    self._flights[request_id].abort(attempt)
            case Reject(request_id, refusal, retry_after_s):
                self._post(request_id, refused(refusal, retry_after_s))

    def _post(self, request_id: str, verdict: Dispatch | RequestError) -> None:
        flight = self._flights.get(request_id)
        if flight is not None:
            flight.post(verdict)

    def _set_alarm(self, time: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        delay = max(0.0, time - self.clock())
        self._alarm = asyncio.get_running_loop().call_later(delay, self._tell, Woke())
