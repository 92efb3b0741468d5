"""A whole backend in one process: listener, runtime, fleet, announcement, and their end."""

from __future__ import annotations

import asyncio
import os
import sysconfig
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from cato_backend import __version__
from cato_backend.clock import Clock, monotonic
from cato_backend.config import Config
from cato_backend.errors import EngineError
from cato_backend.fleet.calibrator import Calibrator
from cato_backend.fleet.ejections import Ejections, SyntheticTrials
from cato_backend.fleet.fleet import Fleet
from cato_backend.fleet.launch import PlannedReplica, local_launchers, watch_static
from cato_backend.fleet.learning import ModelSizes
from cato_backend.fleet.scaler import make_scaler
from cato_backend.fleet.scrape import Scraper
from cato_backend.gateway.acceptor import Descriptors, raise_limit
from cato_backend.gateway.connections import ConnectionLimits, Connections
from cato_backend.gateway.drain import Drain
from cato_backend.gateway.feedback_store import FeedbackStore
from cato_backend.gateway.hardware_targets import HardwareTargets
from cato_backend.gateway.incoming import BodyReader
from cato_backend.gateway.rate_cap import RateCap
from cato_backend.gateway.server import Listener, serving
from cato_backend.gateway.state import Gateway
from cato_backend.http1.upstreams import Timeouts, Upstreams
from cato_backend.metrics import Metrics
from cato_backend.replicas.supervisor import RestartPolicy, Supervisor
from cato_backend.runtime.attempt import Attempts, AttemptTimeouts
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.event_log import EventLog
from cato_backend.runtime.law_store import LawKeeper, laws_file
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import (
    Limits,
    LongPromptLimits,
    OutlierDetection,
    Scheduler,
    Setup,
    make_policy,
)
from cato_backend.wire.discovery import Announcement, announce, withdraw
from cato_backend.wire.headers import Task
from cato_backend.wire.paths import state_dir


@dataclass(frozen=True, slots=True)
class Backend:
    """What runs."""

    runtime: Runtime
    fleet: Fleet
    supervisor: Supervisor
    drain: Drain


@asynccontextmanager
async def running_backend(
    config: Config,
    listener: Listener,
    planned: tuple[PlannedReplica, ...],
    on_news: Callable[[str], None],
) -> AsyncGenerator[Backend]:
    """Answers requests inside the block; after it no process and no socket is left."""
    async with AsyncExitStack() as stack:
        client_limits = _connection_limits(config, raise_limit(), on_news)
        timeouts = Timeouts(config.scheduling.connect_s, config.scheduling.keepalive_s)
        session = await stack.enter_async_context(_session(timeouts))
        upstreams = Upstreams(timeouts)
        stack.callback(upstreams.close)
        limits = _limits(config)
        runtime = _runtime(config, limits, upstreams)
        _keep_log(config, limits, runtime, stack)
        stack.callback(runtime.laws.save)
        stack.callback(asyncio.create_task(runtime.laws.run()).cancel)
        fleet = Fleet(config.health_check, runtime, session, on_news)
        stack.push_async_callback(fleet.close)
        runtime.watch(Ejections(runtime.metrics, fleet.on_note).note, progress=False)
        restarts = RestartPolicy(max_restarts=config.engine.max_restarts)
        synthetic_trials = SyntheticTrials(runtime, upstreams, config.scheduling.silence_s)
        runtime.watch(synthetic_trials.note, progress=False)
        stack.callback(synthetic_trials.close)
        supervisor = Supervisor(fleet, restarts)
        stack.push_async_callback(supervisor.close)
        gateway = _gateway(config, runtime, listener, fleet, client_limits)
        await stack.enter_async_context(serving(gateway, listener))
        watching = asyncio.create_task(listener.credentials.watch(on_news))
        stack.callback(watching.cancel)
        if config.scheduling.scrape_s:
            scraper = Scraper(runtime, session, fleet.on_note, config.scheduling.scrape_s)
            stack.callback(asyncio.create_task(scraper.run()).cancel)
        if config.scheduling.calibrate:
            attempts = Attempts(upstreams, AttemptTimeouts())
            calibrator = Calibrator(runtime, attempts, session, fleet.on_note)
            runtime.watch(calibrator.note, progress=False)
            stack.push_async_callback(calibrator.close)
        watch_static(config, fleet)
        local = tuple(local_launchers(planned, session, fleet))
        if config.provisioning.max_replicas:
            scaler = make_scaler(config, planned, local, supervisor, runtime, fleet)
            stack.push_async_callback(scaler.close)
            scaling = asyncio.create_task(scaler.run(config.provisioning.interval_s))
            stack.callback(scaling.cancel)
        else:
            for launcher in local:
                supervisor.keep(launcher)
        yield Backend(runtime, fleet, supervisor, gateway.drain)


def _connection_limits(
    config: Config, descriptors: Descriptors, on_news: Callable[[str], None]
) -> ConnectionLimits:
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


def _gateway(
    config: Config,
    runtime: Runtime,
    listener: Listener,
    fleet: Fleet,
    connections: ConnectionLimits,
) -> Gateway:
    file = state_dir() / "feedback" / "feedback.jsonl"
    clients = Connections(connections, runtime.metrics, monotonic)
    return Gateway(
        config=config,
        runtime=runtime,
        credentials=listener.credentials,
        drain=Drain(runtime, clients, monotonic),
        connections=clients,
        bodies=BodyReader(config.server),
        feedback=FeedbackStore(file, config.server.feedback_max_bytes),
        warm_cap=RateCap(config.scheduling.warm_per_minute / 60, config.scheduling.warm_burst),
        targets=HardwareTargets(config.targets, runtime.replicas, runtime.clock),
        standings=fleet.standings,
        sizes=ModelSizes.of(config),
    )


def _session(timeouts: Timeouts) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0,
            # Health checks must reach what requests reach, whose names are not cached.
            use_dns_cache=False,
            keepalive_timeout=timeouts.keepalive_s,
            socket_factory=timeouts.liveness.socket_for,
        ),
        # Replicas are addressed as configured, never through a proxy of the environment.
        trust_env=False,
    )


def _limits(config: Config) -> Limits:
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


def _keep_log(config: Config, limits: Limits, runtime: Runtime, stack: AsyncExitStack) -> None:
    server = config.server
    if server.event_log:
        path = Path(server.event_log).expanduser()
        log = EventLog(path, server.event_log_max_bytes, config.scheduling.policy, limits)
        runtime.watch(stack.enter_context(log).note)


def _runtime(config: Config, limits: Limits, upstreams: Upstreams) -> Runtime:
    scheduling = config.scheduling
    configured = tuple(model.name for model in config.models)
    tasks = {Task(task): model for task, model in config.tasks.items()}
    return Runtime(
        Scheduler(make_policy(scheduling.policy, Setup(long_prompts=limits.long_prompts)), limits),
        Catalog(configured, tasks, expected_s=scheduling.max_wait_s),
        Attempts(upstreams, AttemptTimeouts(scheduling.silence_s, scheduling.whole_answer_s)),
        Metrics(),
        laws=LawKeeper(laws_file(), monotonic, time.time),
    )


async def failed_for_good(backend: Backend) -> EngineError:
    """Return the error of a replica that was given up, once no other replica is up."""
    while True:
        error = await backend.supervisor.wait_failed()
        if not backend.runtime.replicas():
            return error
        backend.fleet.on_note("fleet", str(error))


async def idle(backend: Backend, limit_s: float, clock: Clock = monotonic) -> None:
    """Return after `limit_s` seconds without a request; never return where it is 0."""
    if not limit_s:
        await asyncio.Event().wait()
    while True:
        quiet_s = clock() - backend.runtime.last_asked
        if quiet_s >= limit_s and not backend.runtime.in_flight:
            return
        await asyncio.sleep(max(1.0, limit_s - quiet_s))


def _language_server() -> str | None:
    """Return the `cato-lsp` of this very installation."""
    program = Path(sysconfig.get_path("scripts")) / "cato-lsp"
    return str(program) if program.is_file() else None


@asynccontextmanager
async def announced(listener: Listener) -> AsyncGenerator[None]:
    """Inside, the editors of this user find the backend by its discovery file."""
    pid, credentials = os.getpid(), listener.credentials

    def tell() -> None:
        token = credentials.tokens.first
        announce(Announcement(listener.url, token, pid, __version__, _language_server()))

    tell()
    credentials.on_new_tokens = tell
    try:
        yield
    finally:
        credentials.on_new_tokens = None
        withdraw(pid)
