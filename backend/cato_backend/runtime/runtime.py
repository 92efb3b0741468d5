"""Drives the scheduler: clocks and streams on one side, events and decisions on the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cato_backend.clock import Clock, monotonic
from cato_backend.errors import NotFound, RequestError
from cato_backend.metrics import Metrics
from cato_backend.profile_files.profile import Profile
from cato_backend.runtime.attempt import Attempts, NotSent
from cato_backend.runtime.calls import Call, Sink
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.dispatcher import Dispatcher, Watcher
from cato_backend.runtime.facts import Endpoint, Leg, ModelFacts
from cato_backend.runtime.flight import Ended, Flight
from cato_backend.runtime.history import History
from cato_backend.runtime.outcomes import Scorekeeper
from cato_backend.runtime.pilot import Pilot
from cato_backend.runtime.predictions import Predictions
from cato_backend.runtime.workflows import Workflows
from cato_backend.scheduling import (
    Cancelled,
    Dispatch,
    OthersRunning,
    OutlierRecord,
    Probed,
    ReplicaDown,
    ReplicaDraining,
    ReplicaLoad,
    ReplicaUp,
    Scheduler,
    Submitted,
)
from cato_backend.wire.headers import CancelReason

_LAST = 2**31 - 1
"""The engine's priority of what nobody waits for."""


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
        self._dispatcher = Dispatcher(scheduler, clock)
        self.history = History()
        """Calls that have ended."""
        self.workflows = Workflows()
        self.scores = Scorekeeper(metrics, self.history)
        self.predictions = Predictions(metrics)
        self._endpoints: dict[str, Endpoint] = {}
        self._on_unreachable: Callable[[str], None] = self.remove_replica
        self._pilot = Pilot(
            self._dispatcher,
            attempts,
            self.scores,
            self.predictions,
            self._leg,
            self._unreachable,
        )

    # -- replicas ------------------------------------------------------------------------------

    def add_replica(
        self,
        endpoint: Endpoint,
        facts: ModelFacts,
        max_running: int,
        profile: Profile | None = None,
    ) -> None:
        """A replica is healthy and its model known."""
        self.catalog.learn(facts)
        self._endpoints[endpoint.replica_id] = endpoint
        self._dispatcher.tell(ReplicaUp(endpoint.replica_id, facts.name, max_running, profile))
        self.predictions.replica_up(self.replicas()[-1])

    def drain_replica(self, replica_id: str) -> None:
        """A replica gets nothing new; what runs on it may finish."""
        self._dispatcher.tell(ReplicaDraining(replica_id))

    def remove_replica(self, replica_id: str) -> None:
        """A replica is gone; what ran on it moves."""
        if self._endpoints.pop(replica_id, None) is not None:
            self._dispatcher.tell(ReplicaDown(replica_id))

    def on_unreachable(self, listener: Callable[[str], None]) -> None:
        """`listener` is told the id of each replica that could not be connected to."""
        self._on_unreachable = listener

    def watch(self, watcher: Watcher) -> None:
        """`watcher` is told all that the scheduler is told, and what it decides."""
        self._dispatcher.watch(watcher)

    def replicas(self) -> tuple[ReplicaLoad, ...]:
        """What each replica owes now."""
        return self._dispatcher.scheduler.replicas

    def replica(self, replica_id: str) -> ReplicaLoad | None:
        """What one replica owes now; None where it is not up."""
        return self._dispatcher.scheduler.replica(replica_id)

    def outlier_record(self, replica_id: str) -> OutlierRecord:
        """Whether a replica that is up is ejected, and why. Raises KeyError."""
        return self._dispatcher.scheduler.outlier_record(replica_id)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The replicas that are up, as HTTP clients see them."""
        return tuple(self._endpoints.values())

    def endpoint(self, replica_id: str) -> Endpoint | None:
        """One replica as HTTP clients see it; None where it is not up."""
        return self._endpoints.get(replica_id)

    def probed(self, replica_id: str, seconds: float | None) -> None:
        """A probe of a replica has been answered after so long; None: not by a token."""
        self._dispatcher.tell(Probed(replica_id, seconds))

    def others_running(self, replica_id: str, requests: int) -> None:
        """Other clients have so many requests on a replica."""
        load = self.replica(replica_id)
        if load is not None and load.others != requests:
            self._dispatcher.tell(OthersRunning(replica_id, requests))

    def load(self, model: str) -> float:
        """0..1: how full the model's replicas are."""
        return self._dispatcher.scheduler.load(model)

    def waiting(self, model: str) -> int:
        """Queued requests of the model."""
        return self._dispatcher.scheduler.waiting(model)

    @property
    def in_flight(self) -> int:
        """Calls that have not ended."""
        return len(self._dispatcher)

    # -- calls ---------------------------------------------------------------------------------

    async def run(self, call: Call, sink: Sink) -> CancelReason | None:
        """Serves one call into `sink`; why the client ended it, where it did so by name.

        Raises RequestError; cancel the task to end the call.
        """
        request, flight = call.request, Flight(call)
        self._dispatcher.enter(flight)
        self._dispatcher.tell(Submitted(request))
        try:
            return await self._pilot.fly(flight, sink)
        except RequestError as error:
            self.scores.refused(flight, error.code)
            raise
        except asyncio.CancelledError:
            self.scores.cancelled(flight, self.clock())
            raise
        finally:
            self._dispatcher.leave(request.id)
            self.last_asked = self.clock()
            self._dispatcher.tell(Cancelled(request.id))

    def cancel(self, request_id: str, tenant: str, reason: CancelReason) -> None:
        """Ends a live call of this tenant at once. Raises NotFound."""
        flights = self._dispatcher.find(request_id)
        if not flights or flights[0].call.request.origin.tenant != tenant:
            raise NotFound(f"request {request_id!r} is not live", param="id")
        for flight in flights:
            self._dispatcher.tell(Cancelled(flight.call.request.id))
            flight.post(Ended(reason))

    def _leg(self, call: Call, dispatch: Dispatch) -> Leg:
        model, endpoint = call.request.model, self._endpoints.get(dispatch.replica_id)
        if endpoint is None:
            raise NotSent("it is gone")
        priority = _LAST if call.request.warm else dispatch.priority
        return Leg(endpoint, self.catalog.facts(model), self.catalog.ratio(model), priority)

    def _unreachable(self, replica_id: str) -> None:
        self._on_unreachable(replica_id)
