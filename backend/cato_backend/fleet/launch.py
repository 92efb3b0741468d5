"""The replicas that are planned or configured, and their start."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import aiohttp

from cato_backend.config import Config, ModelConfig, ReplicaConfig, range_of
from cato_backend.engines.command import EmulationSpec, EngineSpec, ModelSpec
from cato_backend.errors import ConfigError
from cato_backend.fleet.engine_limits import limits_of, told_limits
from cato_backend.fleet.fleet import Fleet
from cato_backend.fleet.places import ReplicaPlace, places_of
from cato_backend.fleet.profiles import local_profile, static_profile, with_limits
from cato_backend.fleet.states import Expected, ReplicaPhase, ReplicaStatus
from cato_backend.inventory.needs import Seat
from cato_backend.model_store.registry import model_path
from cato_backend.profile_files.profile import EngineLimits
from cato_backend.replicas.local import LocalLauncher, LocalSpec
from cato_backend.replicas.replica import Launcher
from cato_backend.replicas.sockets import SocketFolder
from cato_backend.replicas.watch import WatchedServer
from cato_backend.tasks.detection import family_names
from cato_backend.wire.state_files import state_dir


@dataclass(frozen=True, slots=True)
class PlannedReplica:
    """A replica that can be started on this machine."""

    spec: LocalSpec
    expected: Expected
    seat: Seat | None = None
    """The part of a GPU that it holds."""


def plan_local(config: Config) -> tuple[PlannedReplica, ...]:
    """Return the replicas of `[[models]]`, as many as there may ever be at once.

    Raises EngineError, ConfigError where one cannot be started.
    """
    if not config.models:
        return ()
    # Before the places: a model that is not here is named where no engine is installed, too.
    paths = [_path(config, model) for model in config.models]
    placed = [
        (model, place, path)
        for model, places, path in zip(config.models, places_of(config), paths, strict=True)
        for place in places
    ]
    return tuple(
        planned_replica(config, model, place, number, path)
        for number, (model, place, path) in enumerate(placed, start=1)
    )


def _path(config: Config, model: ModelConfig) -> str:
    is_emulated = config.engine.kind == "emulated"
    return model.path if is_emulated else model_path(model.path, model.engine_args)


def planned_replica(
    config: Config, model: ModelConfig, place: ReplicaPlace, number: int, path: str
) -> PlannedReplica:
    """Return replica `number`, which serves what is at `path`. Raises ConfigError."""
    engine = place.engine
    known = local_profile(config, model, place.hardware)
    limits = limits_of(config, model, known)
    profile = with_limits(known, limits)
    if isinstance(engine, EmulationSpec):
        engine = replace(engine, profile=model.profile or config.scheduling.profile)
    engine = replace(
        engine,
        max_num_seqs=limits.max_num_seqs,
        max_num_batched_tokens=limits.max_num_batched_tokens,
        long_prefill_token_threshold=limits.long_prefill_token_threshold,
        arguments=model.engine_args,
    )
    spec = LocalSpec(
        replica_id=f"replica-{number}",
        model=ModelSpec(model.name, path, model.max_model_len),
        engine=engine,
        log=state_dir() / "logs" / f"replica-{number}.log",
        start_timeout_s=config.engine.start_timeout_s,
    )
    where = _where(model, place, limits)
    expected = Expected(
        limits.max_num_seqs,
        model.fim,
        profile,
        profile.hardware if profile is not None else place.hardware,
        where,
        limits,
        model.instruct,
        place.gpus,
    )
    return PlannedReplica(spec, expected, place.seat)


def _where(model: ModelConfig, place: ReplicaPlace, limits: EngineLimits) -> str:
    """Return what makes a replica as fast as it is, in words.

    Under these its learned law is kept.
    """
    engine, hardware = place.engine, place.hardware
    cores = len(engine.cores) if isinstance(engine, EngineSpec) else 0
    size = f"{cores} cores, {limits.max_num_seqs} sequences, {limits.max_num_batched_tokens} tokens"
    if limits.long_prefill_token_threshold:
        size += f", {limits.long_prefill_token_threshold} of a prompt"
    return " ".join((hardware, model.path, size, model.profile, *model.engine_args))


def check_families(config: Config) -> None:
    """Raise ConfigError for a `fim` that is no family."""
    named = [(f"models.{i}.fim", model.fim) for i, model in enumerate(config.models)]
    named += [(f"replicas.{i}.fim", replica.fim) for i, replica in enumerate(config.replicas)]
    for field, family in named:
        if family not in family_names():
            raise ConfigError.of(field, family, "one of " + ", ".join(family_names()))


def local_launchers(
    planned: tuple[PlannedReplica, ...],
    session: aiohttp.ClientSession,
    fleet: Fleet,
    sockets: SocketFolder,
) -> Iterator[Launcher]:
    """For the replicas that are started on this machine."""
    for plan in planned:
        replica_id = plan.spec.replica_id
        fleet.expect(replica_id, plan.expected)
        yield LocalLauncher(plan.spec, session, ReplicaProgress(fleet, replica_id), sockets)


def watch_static(config: Config, fleet: Fleet) -> None:
    """Let the fleet watch what runs elsewhere. Raises ConfigError for a bad profile."""
    for number, replica in enumerate(config.replicas, start=1):
        name = f"static-{number}"
        fleet.expect(name, expected_static(config, replica))
        fleet.watch(WatchedServer(name, replica.url, replica.model, replica.token or None))


def expected_static(config: Config, replica: ReplicaConfig) -> Expected:
    """Return what the configuration says of one. Raises ConfigError for a bad profile."""
    profile = static_profile(config, replica)
    max_running = replica.max_running or config.scheduling.max_running_per_replica
    if profile is not None:
        max_running = min(max_running, profile.limits.max_num_seqs)
    return Expected(
        max_running,
        replica.fim,
        profile,
        profile.hardware if profile is not None else "",
        limits=told_limits(replica, profile),
        instruct=replica.instruct,
    )


@dataclass(frozen=True, slots=True)
class ReplicaProgress:
    """Reports a launcher's progress to the fleet under the replica's id."""

    fleet: Fleet
    replica_id: str

    def __call__(self, text: str) -> None:
        """Log one note."""
        self.fleet.on_progress(self.replica_id, text)


class ScaleFromZero:
    """Models without replicas of which a request starts one (scaling from zero)."""

    def __init__(
        self,
        config: Config,
        planned: Sequence[PlannedReplica],
        statuses: Callable[[], Sequence[ReplicaStatus]],
    ) -> None:
        ranges = [(model, range_of(model, config.provisioning)) for model in config.models]
        resting = {model.name for model, found in ranges if found and not found.least}
        self._statuses = statuses
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
            self._models.get(status.replica_id)
            for status in self._statuses()
            if status.state is ReplicaPhase.FAILED
        }
        return bool(set(self._models.values()) - failed)

    def rests(self) -> bool:
        """Return whether a request can start a replica, and none is being started."""
        states = {status.state for status in self._statuses()}
        return ReplicaPhase.STARTING not in states and self.can_start()
