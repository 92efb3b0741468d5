"""Every replica that is planned or configured, announced to the fleet: started or watched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp

from cato_backend.config import Config, ReplicaConfig
from cato_backend.errors import ConfigError
from cato_backend.fleet.engine_limits import told_limits
from cato_backend.fleet.fleet import Expected, Fleet
from cato_backend.fleet.places import PlannedReplica
from cato_backend.fleet.profiles import static_profile
from cato_backend.replicas.local import LocalLauncher
from cato_backend.replicas.replica import Launcher
from cato_backend.replicas.watch import WatchedServer
from cato_backend.tasks.detection import family_names


def check_families(config: Config) -> None:
    """Raises ConfigError for a `fim` that is no family."""
    named = [(f"models.{i}.fim", model.fim) for i, model in enumerate(config.models)]
    named += [(f"replicas.{i}.fim", replica.fim) for i, replica in enumerate(config.replicas)]
    for field, family in named:
        if family not in family_names():
            raise ConfigError.of(field, family, "one of " + ", ".join(family_names()))


def local_launchers(
    planned: tuple[PlannedReplica, ...], session: aiohttp.ClientSession, fleet: Fleet
) -> Iterator[Launcher]:
    """For the replicas that are started on this machine."""
    for plan in planned:
        replica_id = plan.spec.replica_id
        fleet.expect(replica_id, plan.expected)
        yield LocalLauncher(plan.spec, session, _Notes(fleet, replica_id))


def watch_static(config: Config, fleet: Fleet) -> None:
    """Lets the fleet watch what runs elsewhere. Raises ConfigError for a bad profile."""
    for number, replica in enumerate(config.replicas, start=1):
        name = f"static-{number}"
        fleet.expect(name, expected_static(config, replica))
        fleet.watch(WatchedServer(name, replica.url, replica.model, replica.token or None))


def expected_static(config: Config, replica: ReplicaConfig) -> Expected:
    """What the configuration says of one. Raises ConfigError for a bad profile."""
    profile = static_profile(config, replica)
    max_running = replica.max_running or config.scheduling.max_running_per_replica
    if profile is not None:
        max_running = min(max_running, profile.limits.max_num_seqs)
    return Expected(
        max_running,
        replica.fim,
        profile,
        limits=told_limits(replica, profile),
        instruct=replica.instruct,
    )


@dataclass(frozen=True, slots=True)
class _Notes:
    """Hands a launcher's notes on under the replica's name."""

    fleet: Fleet
    replica_id: str

    def __call__(self, text: str) -> None:
        self.fleet.on_progress(self.replica_id, text)
