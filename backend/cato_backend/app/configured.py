"""Parts of a backend that are made from the configuration alone."""

from __future__ import annotations

import time
from collections.abc import Callable

import aiohttp

from cato_backend.clock import monotonic
from cato_backend.config import Config
from cato_backend.gateway.acceptor import Descriptors
from cato_backend.gateway.connections import ConnectionLimits
from cato_backend.http1.timeouts import Timeouts
from cato_backend.http1.upstreams import Upstreams
from cato_backend.metrics import Metrics
from cato_backend.replicas.sockets import EngineConnector, SocketFolder
from cato_backend.runtime.attempt import Attempts, AttemptTimeouts
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.laws import LawKeeper, laws_file
from cato_backend.runtime.runtime import Runtime
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
