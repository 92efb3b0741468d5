"""Starts the local replicas of each model, by a scaler where their number may change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from cato_backend.config import Config, ModelConfig, ReplicaRange, range_of
from cato_backend.errors import ConfigError
from cato_backend.fleet.fleet import Fleet
from cato_backend.fleet.launch import PlannedReplica
from cato_backend.fleet.model_replicas import ModelReplicas, SharedFleet, StartTimes
from cato_backend.fleet.profiles import kept_profile
from cato_backend.fleet.scaler import ScaledModel, Scaler
from cato_backend.fleet.sharing import GpuSharing
from cato_backend.inventory.needs import GpuMemory
from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning import Bounds, Provisioner, make_rule
from cato_backend.replicas.replica import Launcher
from cato_backend.replicas.supervisor import Supervisor
from cato_backend.runtime.runtime import Runtime


@dataclass(frozen=True, slots=True)
class FleetParts:
    """Services that scalers use."""

    config: Config
    runtime: Runtime
    fleet: Fleet
    supervisor: Supervisor


@dataclass(frozen=True, slots=True)
class _OwnPlaces:
    """The places of one model."""

    number: int
    """Number of the model in the configuration."""
    model: ModelConfig
    planned: tuple[PlannedReplica, ...]
    launchers: tuple[Launcher, ...]


def run_replicas(
    parts: FleetParts,
    planned: Sequence[PlannedReplica],
    launchers: Sequence[Launcher],
    stack: AsyncExitStack,
) -> None:
    """Keep the replicas of every model, as many as are wanted. Raises ConfigError.

    `stack` ends the scalers.
    """
    memory = GpuMemory({plan.spec.replica_id: plan.seat for plan in planned if plan.seat})
    shared = SharedFleet(
        parts.supervisor,
        parts.runtime,
        parts.fleet,
        memory,
        parts.config.provisioning.drain_s,
    )
    sharing = GpuSharing(memory)
    places = tuple(_own_places(parts.config, planned, launchers))
    for own in places:
        if range_of(own.model, parts.config.provisioning) is None:
            for launcher in own.launchers:
                memory.hold(launcher.replica_id)
                parts.supervisor.keep(launcher)
    for own in places:
        found = range_of(own.model, parts.config.provisioning)
        if found is not None:
            scaler = _scaler(parts.config, own, found, shared, sharing)
            sharing.join(scaler, frozenset(each.replica_id for each in own.launchers))
            stack.push_async_callback(scaler.close)
            scaling = asyncio.create_task(scaler.run(parts.config.provisioning.interval_s))
            stack.callback(scaling.cancel)


def _own_places(
    config: Config, planned: Sequence[PlannedReplica], launchers: Sequence[Launcher]
) -> Iterator[_OwnPlaces]:
    by_id = {launcher.replica_id: launcher for launcher in launchers}
    for number, model in enumerate(config.models):
        own = tuple(plan for plan in planned if plan.spec.model.name == model.name)
        yield _OwnPlaces(number, model, own, tuple(by_id[each.spec.replica_id] for each in own))


def _scaler(
    config: Config,
    own: _OwnPlaces,
    found: ReplicaRange,
    shared: SharedFleet,
    sharing: GpuSharing,
) -> Scaler:
    wanted, model, runtime = config.provisioning, own.model, shared.runtime
    profile = _profile(runtime, own.number, own.planned[0])
    rule = make_rule(wanted.rule, profile, wanted.settings)
    times = StartTimes(model.name, runtime.metrics, profile.start_s)
    return Scaler(
        ScaledModel(model.name, found.least, model.sleep, profile),
        Provisioner(model.name, Bounds(*found), rule, wanted.idle_s),
        ModelReplicas(own.launchers, shared, times, sleeps=model.sleep),
        times,
        shared,
        sharing,
    )


def _profile(runtime: Runtime, number: int, plan: PlannedReplica) -> Profile:
    """Return what model `number` is planned by: what was learned of such replicas, else its file.

    Raises ConfigError where neither is known: there is nothing to plan by.
    """
    name, expected = plan.spec.model.name, plan.expected
    kept = runtime.laws.recall(name, expected.place)
    profile = kept_profile(name, expected.profile, kept) or expected.profile
    if profile is None:
        field, expects = f"models.{number}.profile", f"a latency profile of {name}"
        raise ConfigError.of(field, "", f"{expects}: make one with `cato profile`")
    return profile
