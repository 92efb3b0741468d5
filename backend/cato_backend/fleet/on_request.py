"""Models that may have no replica until they are asked for something."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cato_backend.config import Config, range_of
from cato_backend.fleet.launch import PlannedReplica
from cato_backend.fleet.standing import ReplicaPhase, ReplicaStatus


class OnRequest:
    """Tells whether a request can start a replica, so that a server without one is still of use."""

    def __init__(
        self,
        config: Config,
        planned: Sequence[PlannedReplica],
        standings: Callable[[], Sequence[ReplicaStatus]],
    ) -> None:
        ranges = [(model, range_of(model, config.provisioning)) for model in config.models]
        resting = {model.name for model, found in ranges if found and not found.least}
        self._standings = standings
        self._models = {
            plan.spec.replica_id: plan.spec.model.name
            for plan in planned
            if plan.spec.model.name in resting
        }
        self.starts_alone = bool(config.replicas or config.discovery.sources) or any(
            model.sleep or model.name not in resting for model in config.models
        )
        """Whether a replica comes up without a request."""

    def can_start(self) -> bool:
        """Return whether there is such a model none of whose replicas was given up."""
        failed = {
            self._models.get(standing.replica_id)
            for standing in self._standings()
            if standing.state is ReplicaPhase.FAILED
        }
        return bool(set(self._models.values()) - failed)

    def rests(self) -> bool:
        """Return whether a request can start a replica, and none is being started."""
        states = {standing.state for standing in self._standings()}
        return ReplicaPhase.STARTING not in states and self.can_start()
