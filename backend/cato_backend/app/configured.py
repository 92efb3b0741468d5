"""Parts of a backend that are made from the configuration alone: limits, launchers, tracing."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import aiohttp

from cato_backend.clock import monotonic
from cato_backend.config import Config
from cato_backend.discovery.addresses import make_source
from cato_backend.errors import ConfigError
from cato_backend.fleet.discovered import Discovered
from cato_backend.fleet.fleet import Fleet
from cato_backend.fleet.inventory import Inventory
from cato_backend.fleet.launch import PlannedReplica, local_launchers
from cato_backend.fleet.ray_launch import ray_launchers
from cato_backend.gateway.acceptor import Descriptors
from cato_backend.gateway.connections import ConnectionLimits
from cato_backend.http1.servers import Timeouts
from cato_backend.http1.upstreams import Upstreams
from cato_backend.metrics import Metrics
from cato_backend.ray_cluster.cluster import RayCluster
from cato_backend.replicas.replica import Launcher
from cato_backend.replicas.sockets import EngineConnector, SocketFolder
from cato_backend.runtime.attempt import Attempts, AttemptTimeouts
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.law_file import laws_file
from cato_backend.runtime.laws import LawKeeper
from cato_backend.runtime.runtime import Runtime
from cato_backend.runtime.traces import Tracer
from cato_backend.scheduling import (
    Limits,
    LongPromptLimits,
    OutlierDetection,
    Scheduler,
    Setup,
    make_policy,
)
from cato_backend.team.live import LiveTeams
from cato_backend.wire.headers import Task
from cato_backend.wire.state_files import state_dir

_RAY = "ray"

_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")

_SPOKEN = "http/protobuf"


def connection_limits(
    config: Config, descriptors: Descriptors, on_news: Callable[[str], None]
) -> ConnectionLimits:
    """Return the limits of client connections, and tell them as a line."""
    server = config.server
    total = descriptors.clients(server.max_connections)
    on_news(f"{descriptors}; client connections: at most {total}")
    return ConnectionLimits(
        total=total,
        idle=min(server.max_idle_connections, total),
        header_s=server.header_timeout_s,
        send_s=server.send_timeout_s,
        unread_bytes=server.max_body_bytes,
    )


def client_session(timeouts: Timeouts, sockets: SocketFolder) -> aiohttp.ClientSession:
    """Return the session that health checks and descriptions of replicas use."""
    return aiohttp.ClientSession(
        connector=EngineConnector(
            sockets,
            limit=0,
            # Health checks must reach what requests reach, whose names are not cached.
            use_dns_cache=False,
            keepalive_timeout=timeouts.keepalive_s,
            socket_factory=timeouts.liveness.socket_for,
        ),
        # Replicas are addressed as configured, never through a proxy of the environment.
        trust_env=False,
    )


def scheduling_limits(config: Config) -> Limits:
    """Return the bounds of the scheduler."""
    scheduling = config.scheduling
    return Limits(
        max_waiting=scheduling.max_waiting,
        max_waiting_per_session=scheduling.max_waiting_per_session,
        max_wait_s=scheduling.max_wait_s,
        max_attempts=scheduling.max_attempts,
        outliers=OutlierDetection(**config.outlier_detection.model_dump()),
        long_prompts=LongPromptLimits(
            longer_than_s=scheduling.long_prompt_s,
            per_replica=scheduling.long_prompts_per_replica,
            replica_share=scheduling.long_prompt_replica_share,
            agent_share=scheduling.agent_share,
            patience_s=scheduling.long_prompt_patience_s,
        ),
    )


def make_runtime(config: Config, limits: Limits, upstreams: Upstreams, teams: LiveTeams) -> Runtime:
    """Return a runtime without replicas."""
    scheduling = config.scheduling
    configured = tuple(model.name for model in config.models)
    tasks = {Task(task): model for task, model in config.tasks.items()}
    return Runtime(
        Scheduler(make_policy(scheduling.policy, Setup(long_prompts=limits.long_prompts)), limits),
        Catalog(configured, tasks, expected_s=scheduling.max_wait_s),
        Attempts(upstreams, AttemptTimeouts(scheduling.silence_s, scheduling.whole_answer_s)),
        Metrics(),
        laws=LawKeeper(laws_file(), monotonic, time.time),
        teams=teams,
        slow_times=config.log.slow_times,
    )


def follow_sources(
    config: Config,
    fleet: Fleet,
    runtime: Runtime,
    session: aiohttp.ClientSession,
    stack: AsyncExitStack,
) -> None:
    """Begin to follow the configured lists of replicas. Raises ConfigError."""
    discovery = config.discovery
    sources = [make_source(address, discovery, session) for address in discovery.sources]
    discovered = Discovered(config, sources, fleet, runtime)
    stack.push_async_callback(discovered.close)
    discovered.open()


def launchers_of(
    config: Config,
    planned: tuple[PlannedReplica, ...],
    session: aiohttp.ClientSession,
    fleet: Fleet,
    sockets: SocketFolder,
    inventory: Inventory,
    stack: AsyncExitStack,
) -> tuple[Launcher, ...]:
    """Return those of this machine, or of a Ray cluster, to which the connection is opened."""
    address = config.ray.address
    if not address:
        return tuple(local_launchers(planned, session, fleet, sockets))
    fleet.sources.expect(_RAY)
    log = state_dir() / "logs" / "ray.log"
    on_state = partial(fleet.sources.set, _RAY)
    cluster = RayCluster(address, log, on_state, inventory.on_ray)
    stack.push_async_callback(cluster.close)
    cluster.open()
    return tuple(ray_launchers(config, planned, session, fleet, cluster))


def check_tracing(endpoint: str) -> None:
    """Raise ConfigError for what is not supported, ModuleNotFoundError without the extra [otel]."""
    for name in _PROTOCOLS:
        protocol = os.environ.get(name, _SPOKEN)
        if protocol != _SPOKEN:
            raise ConfigError.of(name, protocol, _SPOKEN)
    if endpoint and not endpoint.startswith(("http://", "https://")):
        raise ConfigError.of("tracing.endpoint", endpoint, "http://HOST:PORT or https://HOST:PORT")
    importlib.import_module("cato_backend.tracing.export")


def tracer_of(endpoint: str, stack: AsyncExitStack) -> Tracer:
    """Return what begins traces; the last spans are sent when the stack closes."""
    from cato_backend.tracing.export import SpanExport

    export = SpanExport(endpoint)
    stack.callback(export.close)
    return export.begin
