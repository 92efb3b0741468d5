"""The fleet: which replicas are in service, and their states."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import aiohttp

from cato_backend.config import HealthCheckConfig
from cato_backend.errors import ReplicaUnavailable
from cato_backend.fleet.learning import Learned, learn, served_line
from cato_backend.fleet.states import (
    Expected,
    Hardware,
    KnownHardware,
    ReplicaPhase,
    ReplicaStatus,
    ReplicaStatuses,
    Sources,
    Withdrawals,
    fitting,
)
from cato_backend.logs import NewsWarning
from cato_backend.replicas.replica import Replica
from cato_backend.replicas.watch import Backoff, WatchedServer, WatchPolicy
from cato_backend.replicas.watcher import Watcher
from cato_backend.runtime.facts import ModelFacts
from cato_backend.runtime.runtime import Runtime

_REFRESH_GAP_S = 1.0
"""Least time between two descriptions of all replicas because of an unknown model."""


class Fleet:
    """Combines reports of supervisor, watches and requests; `on_news` gets a line per change."""

    def __init__(
        self,
        health_check: HealthCheckConfig,
        runtime: Runtime,
        session: aiohttp.ClientSession,
        on_news: Callable[[str], None],
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._on_news = on_news
        self._expected: dict[str, Expected] = {}
        self._hardware = KnownHardware()
        self._urls: dict[str, str] = {}
        self._facts: dict[str, ModelFacts] = {}
        self._statuses = ReplicaStatuses(time.time)
        self.sources = Sources(time.time, self.on_note)
        self._withdrawals = Withdrawals(runtime, self._is_up)
        self._refreshing: asyncio.Task[None] | None = None
        self._refreshed_at = float("-inf")
        policy = watch_policy(health_check)
        self._watcher = Watcher(policy, session, self, lambda: runtime.members.starves)
        self.first_up = asyncio.Event()
        """Set when the first replica takes requests."""
        runtime.join(self)
        runtime.catalog.on_unknown_name(self.refresh)

    def statuses(self) -> tuple[ReplicaStatus, ...]:
        """Return the state of each replica."""
        return self._statuses.all()

    def hardware(self, replica_id: str) -> str:
        """Return what a replica runs or ran on, as profiles name it; "" where it is not known."""
        return self._hardware.of(replica_id).name

    def gpus(self, replica_id: str) -> float:
        """Return how many GPUs a replica has or had: less than one where it shares one."""
        return self._hardware.of(replica_id).gpus

    def expect(self, replica_id: str, expected: Expected) -> None:
        """Remember what the configuration says about a replica."""
        self._expected[replica_id] = expected
        self._hardware.note(replica_id, Hardware(expected.hardware, expected.gpus))

    def watch(self, target: WatchedServer) -> None:
        """Begin to watch a replica that runs elsewhere."""
        self._runtime.catalog.expect(target.replica_id, target.model)
        self._urls[target.replica_id] = target.url
        self._stand(target.replica_id, ReplicaPhase.STARTING)
        self._watcher.watch(target)

    def drain(self, replica_id: str) -> None:
        """Send a watched replica no new requests; it is dropped later."""
        self._runtime.members.drain(replica_id)

    def keep(self, replica_id: str) -> None:
        """Send a drained replica requests again, where it is up."""
        if self._is_up(replica_id):
            self._runtime.members.keep(replica_id)

    def drop(self, replica_id: str) -> None:
        """End the watch of a replica and forget it; what still runs there moves."""
        self._watcher.unwatch(replica_id)
        self._withdrawals.remove(replica_id)
        self._runtime.catalog.forget(replica_id)
        self._statuses.forget(replica_id)
        for known in (self._urls, self._facts, self._expected):
            known.pop(replica_id, None)
        self._hardware.leaves(replica_id)

    async def close(self) -> None:
        """End all watches."""
        self._withdrawals.close()
        if self._refreshing is not None:
            self._refreshing.cancel()
        await self._watcher.close()

    def on_note(self, replica_id: str, text: str) -> None:
        """Tell a line about a replica."""
        line = f"{replica_id}: {text}"
        self._on_news(NewsWarning(line) if isinstance(text, NewsWarning) else line)

    # -- FleetListener: replicas that are started here ------------------------------------------

    def on_progress(self, replica_id: str, text: str) -> None:
        """Log how far the start of a replica is."""
        self._statuses.set(replica_id, ReplicaPhase.STARTING, text)
        self.on_note(replica_id, text)

    def on_up(self, replica: Replica) -> None:
        """Begin to watch a replica that was started here."""
        if replica.engine_pid is not None:
            self._runtime.laws.engine_up(replica.id, replica.engine_pid)
        self._watcher.watch(WatchedServer(replica.id, replica.url, replica.model, replica.api_key))

    def on_asleep(self, replica_id: str) -> None:
        """Send a replica nothing until it has woken; requests wait for it meanwhile."""
        self._watcher.unwatch(replica_id)
        self._runtime.members.sleep(replica_id)
        self._stand(replica_id, ReplicaPhase.ASLEEP, "it is woken for a request")

    def on_down(self, replica_id: str, reason: str) -> None:
        """Take a replica out of service whose process has ended."""
        self._watcher.unwatch(replica_id)
        self._withdrawals.remove(replica_id)
        self._runtime.laws.engine_down(replica_id)
        self._stand(replica_id, ReplicaPhase.DOWN, reason)

    def on_failed(self, replica_id: str, reason: str) -> None:
        """Mark a replica that was given up."""
        self._statuses.set(replica_id, ReplicaPhase.FAILED, reason.partition("\n")[0])

    def on_ended(self, replica_id: str) -> None:
        """Forget a replica that was ended on purpose."""
        self._statuses.forget(replica_id)

    # -- WatchListener ---------------------------------------------------------------------------

    async def admit(self, replica: Replica) -> None:
        """Ask a healthy replica what it can do, and take it into service.

        Raises ReplicaUnavailable.
        """
        expected = self._expected[replica.id]
        learned = await learn(self._session, replica, expected.family, expected.instruct)
        self._facts[replica.id] = learned.facts
        profile, complaint = fitting(expected, replica.model)
        self._runtime.members.add(
            learned.endpoint,
            learned.facts,
            expected.max_running,
            profile,
            expected.place,
            expected.limits,
        )
        self._stand(replica.id, ReplicaPhase.UP, served_line(learned) + complaint)
        self.first_up.set()

    def on_changed(self, replica: Replica) -> None:
        """Update a replica that serves the same model with other adapters or another context."""
        known = self._runtime.members.endpoint(replica.id)
        if known is None:
            return
        context, adapters = replica.max_model_len, replica.adapters
        facts = replace(self._facts[replica.id], max_model_len=context)
        endpoint = replace(known, max_model_len=context, adapters=adapters)
        self._facts[replica.id] = facts
        self._runtime.members.change(endpoint, facts)
        self._stand(replica.id, ReplicaPhase.UP, served_line(Learned(endpoint, facts)))

    def on_unavailable(self, replica_id: str, trouble: ReplicaUnavailable) -> None:
        """Take a replica out of service until it is admitted again."""
        self._withdrawals.withdraw(replica_id)
        self._stand(replica_id, ReplicaPhase.DOWN, trouble.reason, trouble.remedy)

    # -- Membership: what requests find ----------------------------------------------------------

    def lost(self, replica_id: str) -> None:
        """Take a replica out of service to which no connection could be opened."""
        self._withdrawals.withdraw(replica_id)
        self._watcher.lose(replica_id)

    def died(self, replica_id: str) -> None:
        """Take a replica out of service at once, with what runs on it."""
        self._withdrawals.remove(replica_id)
        self._watcher.lose(replica_id)

    def suspect(self, replica_id: str) -> None:
        """Check the health of a replica that broke an attempt off."""
        self._watcher.look(replica_id)

    async def confirm(self, replica_id: str) -> bool:
        """Describe a replica again; return whether it is up and serves what it served."""
        return await self._watcher.confirm(replica_id)

    async def refresh(self) -> None:
        """Describe every replica again, unless that was just done."""
        loop = asyncio.get_running_loop()
        if self._refreshing is None or self._refreshing.done():
            if loop.time() - self._refreshed_at < _REFRESH_GAP_S:
                return
            self._refreshed_at = loop.time()
            self._refreshing = loop.create_task(self._watcher.refresh())
        await asyncio.shield(self._refreshing)

    # -- common parts ----------------------------------------------------------------------------

    def _is_up(self, replica_id: str) -> bool:
        return self._statuses.state(replica_id) is ReplicaPhase.UP

    def _stand(
        self, replica_id: str, state: ReplicaPhase, reason: str = "", remedy: str = ""
    ) -> None:
        """Set a replica's state, and log it where it has changed."""
        status = self._statuses.set(replica_id, state, reason, remedy)
        if status is None or not reason:
            return
        url = self._urls.get(replica_id)
        where = f"{url}: " if url and state is ReplicaPhase.DOWN else ""
        advice = f"; {remedy}" if remedy else ""
        text = f"{state}: {where}{reason}{advice}"
        is_trouble = state in (ReplicaPhase.DOWN, ReplicaPhase.FAILED)
        self.on_note(replica_id, NewsWarning(text) if is_trouble else text)


def watch_policy(config: HealthCheckConfig) -> WatchPolicy:
    """Return the configured policy."""
    return WatchPolicy(
        interval_s=config.interval_s,
        timeout_s=config.timeout_s,
        unhealthy_threshold=config.unhealthy_threshold,
        models_interval_s=config.models_interval_s,
        backoff=Backoff(
            config.initial_backoff_s,
            config.backoff_multiplier,
            config.backoff_jitter,
            config.max_backoff_s,
        ),
    )
