"""Drives the scheduler: clocks and streams on one side, events and decisions on the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from cato_backend.clock import Clock, monotonic
from cato_backend.errors import NotFound, RequestError
from cato_backend.metrics import Metrics
from cato_backend.requests import Request
from cato_backend.runtime.accounting import Accounting
from cato_backend.runtime.attempt import Attempts
from cato_backend.runtime.calls import Call, Sink
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.dispatcher import Dispatcher, Watcher
from cato_backend.runtime.driver import Membership, RequestDriver
from cato_backend.runtime.event_log import RequestNotes
from cato_backend.runtime.in_flight import CallOutdated, Ended, InFlightRequest
from cato_backend.runtime.laws import LawGauges, LawKeeper
from cato_backend.runtime.members import Members
from cato_backend.runtime.outcomes import OutcomeRecorder
from cato_backend.runtime.predictions import Predictions
from cato_backend.runtime.recent import RecentOutcomes
from cato_backend.runtime.slow_requests import SlowRequests
from cato_backend.runtime.tenants import History, Namespaces, Workflows
from cato_backend.runtime.traces import TokenCounts, Tracer, untraced
from cato_backend.scheduling import (
    Cancelled,
    LoadReported,
    OthersRunning,
    OutlierRecord,
    ProbeEvent,
    ReplicaLoad,
    Scheduler,
    Submitted,
    SyntheticTrialEnded,
)
from cato_backend.team.live import LiveTeams, TeamSettings
from cato_backend.wire.headers import CancelReason


class ReplicaReports:
    """The `Membership` of a runtime. Without a fleet, `remove` takes lost replicas out."""

    def __init__(self, remove: Callable[[str], None]) -> None:
        self._remove = remove
        self._fleet: Membership | None = None

    def join(self, fleet: Membership) -> None:
        """Set the receiver of all further reports."""
        self._fleet = fleet

    def lost(self, replica_id: str) -> None:
        """Handle a replica to which no connection could be opened."""
        if self._fleet is None:
            self._remove(replica_id)
        else:
            self._fleet.lost(replica_id)

    def died(self, replica_id: str) -> None:
        """Handle a replica whose connections broke and that refuses new ones."""
        if self._fleet is None:
            self._remove(replica_id)
        else:
            self._fleet.died(replica_id)

    def suspect(self, replica_id: str) -> None:
        """Handle a replica that broke an attempt off."""
        if self._fleet is not None:
            self._fleet.suspect(replica_id)

    async def confirm(self, replica_id: str) -> bool:
        """Describe a replica again; return whether it is up and serves what it served."""
        return self._fleet is None or await self._fleet.confirm(replica_id)


class Runtime:
    """The live backend between gateway and replicas. All methods belong to one event loop."""

    def __init__(
        self,
        scheduler: Scheduler,
        catalog: Catalog,
        attempts: Attempts,
        metrics: Metrics,
        clock: Clock = monotonic,
        laws: LawKeeper | None = None,
        teams: LiveTeams | None = None,
        slow_times: float = 0.0,
    ) -> None:
        """`slow_times`: the multiple of the target above which requests are logged; 0: none."""
        self.catalog = catalog
        self.metrics = metrics
        self.clock = clock
        self.last_asked = clock()
        """When a client last asked for anything, or its last answer ended."""
        self._dispatcher = Dispatcher(scheduler, clock)
        self.history = History()
        """Calls that have ended."""
        self.workflows = Workflows()
        self._namespaces = Namespaces()
        self.recent = RecentOutcomes(clock)
        self.notes = RequestNotes(clock)
        self.tracer: Tracer = untraced
        self.slow = SlowRequests(slow_times, clock)
        self.scores = OutcomeRecorder(metrics, self.history, self.recent, self.notes, self.slow)
        self.predictions = Predictions(metrics)
        self.law_gauges = LawGauges(metrics.registry)
        self.laws = laws or LawKeeper(None, clock, time.time)
        self.members = Members(self._dispatcher, catalog, self.predictions, self.laws)
        self.teams = teams or LiveTeams(TeamSettings())
        self._accounting = Accounting(self.teams)
        self.spent = self._accounting.spent
        """What each tenant's requests have taken of the replicas."""
        self._dispatcher.watch(self._accounting.seconds.note, progress=False)
        self._reports = ReplicaReports(self.members.remove)
        self._ended: RequestError | None = None
        self._driver = RequestDriver(
            self._dispatcher,
            attempts,
            self.scores,
            self.predictions,
            self.members.leg,
            self._reports,
            self.notes,
        )

    # -- replicas ------------------------------------------------------------------------------

    def join(self, membership: Membership) -> None:
        """Set the receiver of what requests find out about replicas."""
        self._reports.join(membership)

    def watch(self, watcher: Watcher, *, progress: bool = True) -> None:
        """Tell `watcher` all that the scheduler is told and what it decides.

        Where not `progress`, without the tokens on which nothing was decided.
        """
        self._dispatcher.watch(watcher, progress=progress)

    def replicas(self) -> tuple[ReplicaLoad, ...]:
        """Return what each replica owes now."""
        return self._dispatcher.scheduler.replicas

    def replica(self, replica_id: str) -> ReplicaLoad | None:
        """Return what one replica owes now; None where it is not up."""
        return self._dispatcher.scheduler.replica(replica_id)

    def outlier_record(self, replica_id: str) -> OutlierRecord:
        """Return whether a replica that is up is ejected, and why. Raises KeyError."""
        return self._dispatcher.scheduler.outlier_record(replica_id)

    def probe(self, event: ProbeEvent) -> None:
        """Something happened to a calibration's request."""
        self._dispatcher.tell(event)

    def synthetic_trial_ended(self, replica_id: str, seconds: float | None) -> None:
        """Record that a synthetic trial of a replica has ended after so long.

        None: not by a token.
        """
        self._dispatcher.tell(SyntheticTrialEnded(replica_id, seconds))

    def others_running(self, replica_id: str, requests: int) -> None:
        """Record the number of requests that other clients have on a replica."""
        load = self.replica(replica_id)
        if load is not None and load.others != requests:
            self._dispatcher.tell(OthersRunning(replica_id, requests))

    def load_reported(self, load: LoadReported) -> None:
        """Record that a replica's metrics show what its engine has in hand."""
        self._dispatcher.tell(load)

    def load(self, model: str) -> float:
        """0..1: how full the model's replicas are."""
        return self._dispatcher.scheduler.load(model)

    def waiting(self, model: str) -> int:
        """Return the number of queued requests of the model."""
        return self._dispatcher.scheduler.waiting(model)

    def waiting_requests(self) -> list[Request]:
        """Return the requests in the queue."""
        scheduler = self._dispatcher.scheduler
        requests = (flight.call.request for flight in self._dispatcher.flights())
        return [each for each in requests if scheduler.is_waiting(each.id)]

    @property
    def in_flight(self) -> int:
        """Calls that have not ended."""
        return len(self._dispatcher)

    # -- calls ---------------------------------------------------------------------------------

    def end(self, error: RequestError) -> None:
        """End every call with the error, and each that is still to come."""
        self._ended = error
        self.end_where(lambda _call: error)

    def end_where(self, problem: Callable[[Call], RequestError | None]) -> None:
        """End each call in flight for which there is an error, with that error."""
        for flight in self._dispatcher.flights():
            error = problem(flight.call)
            if error is not None:
                self._dispatcher.tell(Cancelled(flight.call.request.id))
                flight.post(error)

    async def run(self, call: Call, sink: Sink) -> CancelReason | None:
        """Serve one call into `sink`; why the client ended it, where it did so by name.

        Raises RequestError, and CallOutdated where the call is to be made again; cancel the
        task to end the call.
        """
        # A token may have ended while the body came, or between two calls of a task.
        ended = self._ended or self.teams.ended(call.token_id)
        if ended is not None:
            raise ended
        with self._accounting.counted(self._private(call)) as flight:
            return await self._run(flight, sink)

    async def _run(self, flight: InFlightRequest, sink: Sink) -> CancelReason | None:
        request = flight.call.request
        self._dispatcher.enter(flight)
        flight.trace = self.tracer(flight.call)
        try:
            # A request that the policy fails at must not stay queued: it would fail all others.
            self._dispatcher.tell(Submitted(request))
            return await self._driver.run(flight, sink)
        except RequestError as error:
            self.scores.refused(flight, error.code)
            raise
        except CallOutdated:
            flight.trace.ended("made_again", TokenCounts(0, None, None))
            raise
        except asyncio.CancelledError:
            if not flight.finished:
                self.scores.cancelled(flight, self.clock())
            raise
        finally:
            self._dispatcher.leave(request.id)
            self.last_asked = self.clock()
            if not flight.finished:
                self._dispatcher.tell(Cancelled(request.id))

    def cancel(self, request_id: str, tenant: str, reason: CancelReason) -> None:
        """End a live call of this tenant at once. Raises NotFound."""
        flights = self._dispatcher.find(self._namespaces.internal(tenant, request_id))
        if not flights:
            raise NotFound(f"request {request_id!r} is not live", param="id")
        for flight in flights:
            self._dispatcher.tell(Cancelled(flight.call.request.id))
            flight.post(Ended(reason))

    def _private(self, call: Call) -> Call:
        """Return the call under an id that no other tenant's has."""
        request, tenant = call.request, call.request.origin.tenant
        if not tenant:
            return call
        internal = self._namespaces.internal
        return replace(
            call,
            request=replace(request, id=internal(tenant, request.id)),
            group=call.group and internal(tenant, call.group),
            client_id=request.id,
        )


Remake = Callable[[int], Awaitable[Call]]
"""The call for the fleet as it is now, given the tokens of context that it has proved to need."""


async def run_call(call: Call, remake: Remake, runtime: Runtime, sink: Sink) -> CancelReason | None:
    """Serve the call into `sink`; why the client ended it, where it did so by name.

    Raises RequestError. Requests for the alias follow it to another model, and a prompt that proved
    too long for one replica goes to one with a larger context.
    """
    while True:
        try:
            return await runtime.run(call, sink)
        except CallOutdated as outdated:
            made = await remake(outdated.least_context)
            # What it superseded is gone; what has come since then is newer.
            request = replace(made.request, supersede=False, warm=call.request.warm)
            call = replace(made, request=request, group=call.group)
