"""Keeps scheduler, catalog and queued calls up to date with the replicas in service."""

from __future__ import annotations

from dataclasses import replace

from cato_backend.profile_files.profile import EngineLimits, Profile
from cato_backend.runtime.attempt import NotSent
from cato_backend.runtime.calls import Call
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.dispatcher import Dispatcher
from cato_backend.runtime.facts import Endpoint, ModelFacts, UpstreamRoute
from cato_backend.runtime.in_flight import CallOutdated
from cato_backend.runtime.laws import LawKeeper
from cato_backend.runtime.predictions import Predictions
from cato_backend.scheduling import (
    Dispatch,
    ReplicaAsleep,
    ReplicaChanged,
    ReplicaDown,
    ReplicaDraining,
    ReplicaResumed,
    ReplicaUp,
)

LAST_PRIORITY = 2**31 - 1
"""The engine's priority of requests that only warm its prefix cache, calibrate a replica, or are
over their budget."""


class Members:
    """The endpoints of replicas by id."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        catalog: Catalog,
        predictions: Predictions,
        laws: LawKeeper,
    ) -> None:
        self._dispatcher = dispatcher
        self._catalog = catalog
        self._predictions = predictions
        self._laws = laws
        self._endpoints: dict[str, Endpoint] = {}
        self._drained: set[str] = set()
        """Replicas that are to be removed."""

    # -- changes -------------------------------------------------------------------------------

    def add(
        self,
        endpoint: Endpoint,
        facts: ModelFacts,
        max_running: int,
        profile: Profile | None = None,
        place: str = "",
        limits: EngineLimits | None = None,
    ) -> None:
        """Take a replica into service, for the first time or after an absence.

        `place` is its hardware and engine flags, where it was started here; its URL by default.
        `limits`: what its engine was started with, where that is told.
        """
        replica_id = endpoint.replica_id
        if self._goes_on(endpoint):
            self.change(endpoint, facts)
            if replica_id not in self._drained:
                self._dispatcher.tell(ReplicaResumed(replica_id))
        else:
            self._forget(replica_id)
            self._catalog.learn(replica_id, facts, endpoint.adapters)
            self._enter(endpoint, facts.name, max_running, profile, place or endpoint.url, limits)
        self._recall_outdated()

    def change(self, endpoint: Endpoint, facts: ModelFacts) -> None:
        """Update a replica's context and adapters."""
        replica_id, adapters = endpoint.replica_id, endpoint.adapters
        self._endpoints[replica_id] = endpoint
        self._catalog.learn(replica_id, facts, adapters)
        self._dispatcher.tell(ReplicaChanged(replica_id, endpoint.max_model_len, adapters))
        self._recall_outdated()

    def pause(self, replica_id: str) -> None:
        """Send a replica no new requests until it is added again; running ones may finish."""
        self._catalog.lose(replica_id)
        self._dispatcher.tell(ReplicaDraining(replica_id))
        self._recall_outdated()

    def drain(self, replica_id: str) -> None:
        """Send a replica no new requests before it is removed; running ones may finish."""
        self._drained.add(replica_id)
        self._dispatcher.tell(ReplicaDraining(replica_id))

    def sleep(self, replica_id: str) -> None:
        """Keep requests for a replica that sleeps until it is woken, and added again."""
        self._drained.discard(replica_id)
        self._dispatcher.tell(ReplicaAsleep(replica_id))

    def keep(self, replica_id: str) -> None:
        """Send a drained replica requests again: it is not removed after all."""
        self._drained.discard(replica_id)
        if replica_id in self._endpoints:
            self._dispatcher.tell(ReplicaResumed(replica_id))

    def remove(self, replica_id: str) -> None:
        """Take a replica out of service; requests that run on it move."""
        self._drained.discard(replica_id)
        self._catalog.lose(replica_id)
        self._forget(replica_id)
        self._recall_outdated()

    def _goes_on(self, endpoint: Endpoint) -> bool:
        """Return whether it serves the same model as before, and requests run there or wait for it.

        They wait for one that sleeps.
        """
        known = self._endpoints.get(endpoint.replica_id)
        load = self._dispatcher.scheduler.replica(endpoint.replica_id)
        if known is None or load is None or not (load.running or load.asleep):
            return False
        return known.url == endpoint.url and known.upstream_model == endpoint.upstream_model

    def _enter(
        self,
        endpoint: Endpoint,
        model: str,
        max_running: int,
        profile: Profile | None,
        place: str,
        limits: EngineLimits | None,
    ) -> None:
        replica_id = endpoint.replica_id
        self._endpoints[replica_id] = endpoint
        up = ReplicaUp(
            replica_id,
            model,
            max_running,
            profile,
            self._laws.recall(model, place),
            endpoint.max_model_len,
            endpoint.adapters,
            limits,
        )
        self._dispatcher.tell(up)
        load = self._dispatcher.scheduler.replicas[-1]
        self._predictions.replica_up(load)
        self._laws.replica_up(load, place)

    def _forget(self, replica_id: str) -> None:
        if self._endpoints.pop(replica_id, None) is not None:
            self._predictions.replica_down(replica_id)
            self._laws.replica_down(replica_id)
            self._dispatcher.tell(ReplicaDown(replica_id))

    # -- queries -------------------------------------------------------------------------------

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return the endpoints of all replicas in service."""
        return tuple(self._endpoints.values())

    def endpoint(self, replica_id: str) -> Endpoint | None:
        """Return the endpoint of one replica; None where it is not in service."""
        return self._endpoints.get(replica_id)

    @property
    def starves(self) -> bool:
        """Whether a request waits that no replica in service can take."""
        return self._catalog.unresolved > 0 or self._dispatcher.scheduler.starves

    def leg(self, call: Call, dispatch: Dispatch) -> UpstreamRoute:
        """Return where an attempt goes. Raises NotSent where the replica is gone."""
        request, endpoint = call.request, self._endpoints.get(dispatch.replica_id)
        name = request.adapter or request.model
        if endpoint is None or name not in self._catalog:
            raise NotSent("it is gone")
        facts = self._catalog.facts(name)
        own = endpoint.max_model_len
        has_own = own is not None and own != facts.max_model_len
        is_last = request.warm or request.share.over_budget
        return UpstreamRoute(
            endpoint=endpoint,
            facts=replace(facts, max_model_len=own) if has_own else facts,
            ratio=self._catalog.ratio(name),
            priority=LAST_PRIORITY if is_last else dispatch.priority,
            largest_context=facts.max_model_len,
        )

    # -- outdated calls ------------------------------------------------------------------------

    def _recall_outdated(self) -> None:
        """Let queued calls be made again whose model or context no replica serves now."""
        scheduler = self._dispatcher.scheduler
        for flight in self._dispatcher.flights():
            is_queued = not flight.begun and scheduler.is_waiting(flight.call.request.id)
            if is_queued and self._is_outdated(flight.call):
                flight.post(CallOutdated(flight.call.least_context))

    def _is_outdated(self, call: Call) -> bool:
        request = call.request
        name = request.adapter or request.model
        if name not in self._catalog:
            return True
        if not self._catalog.is_served(name):
            target = self._catalog.model_for(request.task)
            return call.by_alias and target != name and self._catalog.is_served(target)
        context = self._catalog.served_context(name)
        return context is not None and call.least_context <= context < request.context_tokens
