"""A whole backend in one process: listener, runtime, fleet, announcement, and their shutdown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cato_backend.app.configured import (
    client_session,
    connection_limits,
    follow_sources,
    launchers_of,
    make_runtime,
    scheduling_limits,
    tracer_of,
)
from cato_backend.clock import Clock, monotonic
from cato_backend.config import Config
from cato_backend.errors import EngineError
from cato_backend.fleet.calibrator import Calibrator
from cato_backend.fleet.ejections import Ejections, SyntheticTrials
from cato_backend.fleet.fleet import Fleet
from cato_backend.fleet.inventory import Inventory, make_inventory
from cato_backend.fleet.launch import PlannedReplica, ScaleFromZero, watch_static
from cato_backend.fleet.learning import ModelSizes
from cato_backend.fleet.scaling import FleetParts, run_replicas
from cato_backend.fleet.scrape import Scraper
from cato_backend.fronts.supervision import Fronts, clients_of, serve_clients
from cato_backend.gateway.acceptor import raise_limit
from cato_backend.gateway.client_records import FeedbackStore, SignInCaps, WarmCaps
from cato_backend.gateway.connections import Connections
from cato_backend.gateway.costs import ReplicaPrices, usage_prices
from cato_backend.gateway.credentials import EndedTokens
from cato_backend.gateway.drain import Drain
from cato_backend.gateway.hardware_targets import HardwareTargets
from cato_backend.gateway.incoming import BodyReader
from cato_backend.gateway.server import Listener
from cato_backend.gateway.state import Gateway
from cato_backend.gateway.trusted_proxies import TrustedProxies
from cato_backend.http1.servers import Timeouts
from cato_backend.http1.upstreams import Upstreams
from cato_backend.logs import NewsLog, NewsWarning
from cato_backend.replicas.sockets import socket_folder
from cato_backend.replicas.supervisor import RestartPolicy, Supervisor
from cato_backend.runtime.attempt import Attempts, AttemptTimeouts
from cato_backend.runtime.event_log import EventLog
from cato_backend.runtime.runtime import Runtime
from cato_backend.scheduling import (
    Limits,
)
from cato_backend.wire.discovery import proof
from cato_backend.wire.state_files import state_dir


@dataclass(frozen=True, slots=True)
class Backend:
    """The parts of a running backend."""

    runtime: Runtime
    fleet: Fleet
    scale_from_zero: ScaleFromZero
    supervisor: Supervisor
    gateway: Gateway
    fronts: Fronts | None
    """None where this process takes the connections of clients itself."""


@asynccontextmanager
async def running_backend(
    config: Config,
    listener: Listener,
    planned: tuple[PlannedReplica, ...],
    on_news: Callable[[str], None],
) -> AsyncGenerator[Backend]:
    """Answers requests inside the block; after it no process and no socket is left."""
    news = NewsLog(on_news, time.time)
    async with AsyncExitStack() as stack:
        client_limits = connection_limits(config, raise_limit(), news.tell)
        timeouts = Timeouts(config.scheduling.connect_s, config.scheduling.keepalive_s)
        sockets = stack.enter_context(socket_folder())
        session = await stack.enter_async_context(client_session(timeouts, sockets))
        upstreams = Upstreams(timeouts, sockets)
        stack.callback(upstreams.close)
        limits = scheduling_limits(config)
        teams = listener.credentials.teams
        stack.callback(teams.close)
        runtime = make_runtime(config, limits, upstreams, teams)
        _keep_log(config, limits, runtime, stack)
        if config.tracing.enabled:
            runtime.tracer = tracer_of(config.tracing.endpoint, stack)
        stack.callback(runtime.laws.save)
        stack.callback(asyncio.create_task(runtime.laws.run()).cancel)
        fleet = Fleet(config.health_check, runtime, session, news.tell)
        stack.push_async_callback(fleet.close)
        runtime.watch(Ejections(runtime.metrics, fleet.on_note).note, progress=False)
        restarts = RestartPolicy(max_restarts=config.engine.max_restarts)
        synthetic_trials = SyntheticTrials(runtime, upstreams, config.scheduling.silence_s)
        runtime.watch(synthetic_trials.note, progress=False)
        stack.callback(synthetic_trials.close)
        inventory = make_inventory(config, runtime.metrics.registry)
        stack.callback(asyncio.create_task(inventory.run(config.inventory.sample_s)).cancel)
        launchers = launchers_of(config, planned, session, fleet, sockets, inventory, stack)
        supervisor = Supervisor(fleet, restarts)
        stack.push_async_callback(supervisor.close)
        scale_from_zero = ScaleFromZero(config, planned, fleet.statuses)
        clients = clients_of(config, client_limits, runtime.metrics)
        gateway = _gateway(
            config, runtime, listener, fleet, scale_from_zero, inventory, clients, news
        )
        fronts = await serve_clients(gateway, listener, news.tell, stack)
        for watching in (
            listener.credentials.watch(news.tell),
            teams.watch(news.tell),
            EndedTokens(runtime, teams).run(),
        ):
            stack.callback(asyncio.create_task(watching).cancel)
        if listener.sign_in is not None:
            stack.push_async_callback(listener.sign_in.provider.close)
            stack.callback(asyncio.create_task(listener.sign_in.look(news.tell)).cancel)
        if config.scheduling.scrape_s:
            scraper = Scraper(runtime, session, fleet.on_note, config.scheduling.scrape_s)
            stack.callback(asyncio.create_task(scraper.run()).cancel)
        if config.scheduling.calibrate:
            attempts = Attempts(upstreams, AttemptTimeouts())
            calibrator = Calibrator(runtime, attempts, session, fleet.on_note)
            runtime.watch(calibrator.note, progress=False)
            stack.push_async_callback(calibrator.close)
        watch_static(config, fleet)
        follow_sources(config, fleet, runtime, session, stack)
        run_replicas(FleetParts(config, runtime, fleet, supervisor), planned, launchers, stack)
        yield Backend(runtime, fleet, scale_from_zero, supervisor, gateway, fronts)


def _gateway(
    config: Config,
    runtime: Runtime,
    listener: Listener,
    fleet: Fleet,
    scale_from_zero: ScaleFromZero,
    inventory: Inventory,
    clients: Connections,
    news: NewsLog,
) -> Gateway:
    file = state_dir() / "feedback" / "feedback.jsonl"
    return Gateway(
        config=config,
        runtime=runtime,
        credentials=listener.credentials,
        drain=Drain(runtime, clients, monotonic),
        connections=clients,
        bodies=BodyReader(config.server),
        feedback=FeedbackStore(file, config.server.feedback_max_bytes),
        warm_caps=WarmCaps(config.scheduling.warm_per_minute / 60, config.scheduling.warm_burst),
        targets=HardwareTargets(config.targets, runtime.replicas, runtime.clock),
        statuses=fleet.statuses,
        sources=fleet.sources.all,
        scale_from_zero=scale_from_zero,
        inventory=inventory,
        sizes=ModelSizes.of(config),
        news=news,
        began=runtime.clock(),
        now=time.time,
        sign_in=listener.sign_in,
        sign_in_caps=SignInCaps(),
        prices=ReplicaPrices(usage_prices(config.usage), fleet.hardware, fleet.gpus),
        proxies=TrustedProxies(config.server.trusted_proxies),
        prove=partial(proof, listener.secret, listener.url),
    )


def _keep_log(config: Config, limits: Limits, runtime: Runtime, stack: AsyncExitStack) -> None:
    server = config.server
    if server.event_log:
        path = Path(server.event_log)
        log = EventLog(path, server.event_log_max_bytes, config.scheduling.policy, limits)
        runtime.watch(stack.enter_context(log).note)
        runtime.notes.watch(log.add)


async def failed_for_good(backend: Backend) -> EngineError:
    """Return the error of a replica that was given up, once nothing else is up or may start."""
    while True:
        error = await backend.supervisor.wait_failed()
        if not backend.runtime.replicas() and not backend.scale_from_zero.can_start():
            return error
        backend.fleet.on_note("fleet", NewsWarning(error))


async def idle(backend: Backend, limit_s: float, clock: Clock = monotonic) -> None:
    """Return after `limit_s` seconds without a request; never return where it is 0."""
    if not limit_s:
        await asyncio.Event().wait()
    while True:
        quiet_s = clock() - backend.runtime.last_asked
        if quiet_s >= limit_s and not backend.runtime.in_flight:
            return
        await asyncio.sleep(max(1.0, limit_s - quiet_s))
