"""A whole backend in one process: listener, runtime, fleet, announcement, and their end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from cato_backend import __version__
from cato_backend.clock import Clock, monotonic
from cato_backend.config import Config
from cato_backend.errors import EngineError
from cato_backend.gateway.feedback_store import FeedbackStore
from cato_backend.gateway.rate_cap import RateCap
from cato_backend.gateway.server import Listener, serve
from cato_backend.gateway.state import Gateway
from cato_backend.metrics import Metrics
from cato_backend.replicas.supervisor import RestartPolicy, Supervisor
from cato_backend.runtime.attempt import Attempts, Patience
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.ejections import Ejections
from cato_backend.runtime.event_log import EventLog
from cato_backend.runtime.fleet import Fleet
from cato_backend.runtime.launch import local_launchers, static_launchers
from cato_backend.runtime.places import Planned
from cato_backend.runtime.prober import Prober
from cato_backend.runtime.runtime import Runtime
from cato_backend.runtime.scaler import make_scaler
from cato_backend.runtime.scrape import Scraper
from cato_backend.runtime.upstreams import Upstreams
from cato_backend.scheduling import Limits, OutlierDetection, Scheduler, make_policy
from cato_backend.wire.discovery import Announcement, announce, withdraw
from cato_backend.wire.headers import Task
from cato_backend.wire.paths import state_dir


@dataclass(frozen=True, slots=True)
class Backend:
    """What runs."""

    runtime: Runtime
    fleet: Fleet
    supervisor: Supervisor


@asynccontextmanager
async def running_backend(
    config: Config,
    listener: Listener,
    planned: tuple[Planned, ...],
    on_news: Callable[[str], None],
) -> AsyncGenerator[Backend]:
    """Answers requests inside the block; after it no process and no socket is left."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(_session())
        upstreams = Upstreams()
        stack.callback(upstreams.close)
        limits = _limits(config)
        runtime = _runtime(config, limits, upstreams)
        _keep_log(config, limits, runtime, stack)
        fleet = Fleet(config, runtime, session, on_news)
        runtime.watch(Ejections(runtime.metrics, fleet.on_note).note)
        restarts = RestartPolicy(max_restarts=config.engine.max_restarts)
        prober = Prober(runtime, upstreams, config.scheduling.silence_s)
        runtime.watch(prober.note)
        stack.callback(prober.close)
        supervisor = Supervisor(fleet, restarts)
        stack.push_async_callback(supervisor.close)
        gateway = _gateway(config, runtime, listener, fleet)
        runner = await serve(gateway, listener)
        stack.push_async_callback(runner.cleanup)
        if config.scheduling.scrape_s:
            scraper = Scraper(runtime, session, fleet.on_note, config.scheduling.scrape_s)
            stack.callback(asyncio.create_task(scraper.run()).cancel)
        for launcher in static_launchers(config, session, fleet):
            supervisor.keep(launcher)
        local = tuple(local_launchers(planned, session, fleet))
        if config.provisioning.max_replicas:
            scaler = make_scaler(config, planned, local, supervisor, runtime, fleet)
            stack.push_async_callback(scaler.close)
            scaling = asyncio.create_task(scaler.run(config.provisioning.interval_s))
            stack.callback(scaling.cancel)
        else:
            for launcher in local:
                supervisor.keep(launcher)
        yield Backend(runtime, fleet, supervisor)


def _gateway(config: Config, runtime: Runtime, listener: Listener, fleet: Fleet) -> Gateway:
    file = state_dir() / "feedback" / "feedback.jsonl"
    return Gateway(
        config=config,
        runtime=runtime,
        tokens=listener.tokens,
        feedback=FeedbackStore(file, config.server.feedback_max_bytes),
        warm_cap=RateCap(config.scheduling.warm_per_minute / 60, config.scheduling.warm_burst),
        progress=lambda: fleet.progress,
    )


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
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
        Scheduler(make_policy(scheduling.policy), limits),
        Catalog(configured, tasks),
        Attempts(upstreams, Patience(scheduling.silence_s, scheduling.whole_answer_s)),
        Metrics(),
    )


async def failed_for_good(backend: Backend) -> EngineError:
    """Returns the error of a replica that was given up, once no other replica is up."""
    while True:
        error = await backend.supervisor.wait_failed()
        if not backend.runtime.replicas():
            return error
        backend.fleet.on_note("fleet", str(error))


async def idle(backend: Backend, limit_s: float, clock: Clock = monotonic) -> None:
    """Returns when nobody has asked for anything for `limit_s` seconds; never for 0."""
    if not limit_s:
        await asyncio.Event().wait()
    while True:
        quiet_s = clock() - backend.runtime.last_asked
        if quiet_s >= limit_s and not backend.runtime.in_flight:
            return
        await asyncio.sleep(max(1.0, limit_s - quiet_s))


@asynccontextmanager
async def announced(url: str, token: str | None) -> AsyncGenerator[None]:
    """Inside, the editors of this user find the backend by its discovery file."""
    pid = os.getpid()
    announce(Announcement(url, token, pid, __version__))
    try:
        yield
    finally:
        withdraw(pid)
