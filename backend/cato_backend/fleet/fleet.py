"""The fleet: which replicas are in service, and how each of them is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import aiohttp

from cato_backend.config import HealthCheckConfig
from cato_backend.errors import ReplicaUnavailable
from cato_backend.fleet.learning import Learned, learn
from cato_backend.fleet.standing import ReplicaPhase, ReplicaStatus, Standings
from cato_backend.profile_files.hardware import model_key
from cato_backend.profile_files.profile import EngineLimits, Profile
from cato_backend.replicas.backoff import Backoff
from cato_backend.replicas.replica import Replica
from cato_backend.replicas.watch import WatchedServer, WatchPolicy
from cato_backend.replicas.watcher import Watcher
from cato_backend.runtime.facts import ModelFacts
from cato_backend.runtime.runtime import Runtime
from cato_backend.tasks.detection import AUTO

log = logging.getLogger(__name__)

_STUCK_S = 10.0
"""Requests move from a replica that is away and has brought no token for this long."""
_REFRESH_GAP_S = 1.0
"""Least time between two descriptions of all replicas for the sake of an unknown model."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a replica before it is asked."""

    max_running: int
    """Requests that it is given at once."""
    family: str = AUTO
    """Its model's fill-in-the-middle family."""
    profile: Profile | None = None
    place: str = ""
    """Hardware and engine flags, where it is started here."""
    limits: EngineLimits | None = None
    """What its engine was started with, where that is known."""
    instruct: bool | None = None
    """Whether its model follows instructions, where the configuration says so."""


class Fleet:
    """Combines what supervisor, watches and requests find; `on_news` gets a line per change."""

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
        self._urls: dict[str, str] = {}
        self._facts: dict[str, ModelFacts] = {}
        self._standings = Standings(time.time)
        self._stuck: dict[str, asyncio.TimerHandle] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._refreshed_at = float("-inf")
        policy = watch_policy(health_check)
        self._watcher = Watcher(policy, session, self, lambda: runtime.members.starves)
        self.first_up = asyncio.Event()
        """Set when the first replica takes requests."""
        runtime.join(self)
        runtime.catalog.on_unknown_name(self.refresh)

    def standings(self) -> tuple[ReplicaStatus, ...]:
        """Returns the state of each replica."""
        return self._standings.all()

    def expect(self, replica_id: str, expected: Expected) -> None:
        """Remembers what the configuration says about a replica."""
        self._expected[replica_id] = expected

    def watch(self, target: WatchedServer) -> None:
        """Begins to watch a replica that runs elsewhere."""
        self._runtime.catalog.expect(target.replica_id, target.model)
        self._urls[target.replica_id] = target.url
        self._stand(target.replica_id, ReplicaPhase.STARTING)
        self._watcher.watch(target)

    async def close(self) -> None:
        """Ends all watches."""
        for timer in self._stuck.values():
            timer.cancel()
        if self._refreshing is not None:
            self._refreshing.cancel()
        await self._watcher.close()

    def on_note(self, replica_id: str, text: str) -> None:
        """Logs a line about a replica."""
        line = f"{replica_id}: {text}"
        log.info("%s", line)
        self._on_news(line)

    # -- FleetListener: replicas that are started here ------------------------------------------

    def on_progress(self, replica_id: str, text: str) -> None:
        """Logs how far the start of a replica is."""
        self._standings.set(replica_id, ReplicaPhase.STARTING, text)
        self.on_note(replica_id, text)

    def on_up(self, replica: Replica) -> None:
        """Begins to watch a replica that was started here."""
        self._watcher.watch(WatchedServer(replica.id, replica.url, replica.model, replica.api_key))

    def on_down(self, replica_id: str, reason: str) -> None:
        """Takes a replica out of service whose process has ended."""
        self._watcher.unwatch(replica_id)
        self._remove(replica_id)
        self._stand(replica_id, ReplicaPhase.DOWN, reason)

    def on_failed(self, replica_id: str, reason: str) -> None:
        """Marks a replica that was given up."""
        self._standings.set(replica_id, ReplicaPhase.FAILED, reason.partition("\n")[0])

    def on_ended(self, replica_id: str) -> None:
        """Forgets a replica that was ended on purpose."""
        self._standings.forget(replica_id)

    # -- WatchListener ---------------------------------------------------------------------------

    async def admit(self, replica: Replica) -> None:
        """Asks a healthy replica what it can do, and takes it into service.

        Raises ReplicaUnavailable.
        """
        expected = self._expected[replica.id]
        learned = await learn(self._session, replica, expected.family, expected.instruct)
        self._facts[replica.id] = learned.facts
        profile, complaint = _fitting(expected.profile, replica.model)
        self._runtime.members.add(
            learned.endpoint,
            learned.facts,
            expected.max_running,
            profile,
            expected.place,
            expected.limits,
        )
        self._stand(replica.id, ReplicaPhase.UP, _served(learned) + complaint)
        self.first_up.set()

    def on_changed(self, replica: Replica) -> None:
        """Updates a replica that serves the same model with other adapters or another context."""
        known = self._runtime.members.endpoint(replica.id)
        if known is None:
            return
        context, adapters = replica.max_model_len, replica.adapters
        facts = replace(self._facts[replica.id], max_model_len=context)
        endpoint = replace(known, max_model_len=context, adapters=adapters)
        self._facts[replica.id] = facts
        self._runtime.members.change(endpoint, facts)
        self._stand(replica.id, ReplicaPhase.UP, _served(Learned(endpoint, facts)))

    def on_unavailable(self, replica_id: str, trouble: ReplicaUnavailable) -> None:
        """Takes a replica out of service until it is admitted again."""
        self._withdraw(replica_id)
        self._stand(replica_id, ReplicaPhase.DOWN, trouble.reason, trouble.remedy)

    # -- Membership: what requests find ----------------------------------------------------------

    def lost(self, replica_id: str) -> None:
        """Takes a replica out of service to which no connection could be opened."""
        self._withdraw(replica_id)
        self._watcher.lose(replica_id)

    def died(self, replica_id: str) -> None:
        """Takes a replica out of service at once, with what runs on it."""
        self._remove(replica_id)
        self._watcher.lose(replica_id)

    def suspect(self, replica_id: str) -> None:
        """Checks the health of a replica that broke an attempt off."""
        self._watcher.look(replica_id)

    async def confirm(self, replica_id: str) -> bool:
        """Describes a replica again; returns whether it is up and serves what it served."""
        return await self._watcher.confirm(replica_id)

    async def refresh(self) -> None:
        """Describes every replica again, unless that was just done."""
        loop = asyncio.get_running_loop()
        if self._refreshing is None or self._refreshing.done():
            if loop.time() - self._refreshed_at < _REFRESH_GAP_S:
                return
            self._refreshed_at = loop.time()
            self._refreshing = loop.create_task(self._watcher.refresh())
        await asyncio.shield(self._refreshing)

    # -- common parts ----------------------------------------------------------------------------

    def _stand(
        self, replica_id: str, state: ReplicaPhase, reason: str = "", remedy: str = ""
    ) -> None:
        """Sets a replica's state, and logs it where it has changed."""
        standing = self._standings.set(replica_id, state, reason, remedy)
        if standing is None or not reason:
            return
        url = self._urls.get(replica_id)
        where = f"{url}: " if url and state is ReplicaPhase.DOWN else ""
        advice = f"; {remedy}" if remedy else ""
        self.on_note(replica_id, f"{state}: {where}{reason}{advice}")

    def _withdraw(self, replica_id: str) -> None:
        """Sends no new requests; running ones may finish as long as they bring tokens."""
        if self._is_stuck(replica_id):
            self._remove(replica_id)
            return
        self._runtime.members.pause(replica_id)
        if replica_id not in self._stuck:
            later = asyncio.get_running_loop().call_later
            self._stuck[replica_id] = later(_STUCK_S, self._look_whether_stuck, replica_id)

    def _look_whether_stuck(self, replica_id: str) -> None:
        del self._stuck[replica_id]
        if self._standings.state(replica_id) is not ReplicaPhase.UP:
            self._withdraw(replica_id)

    def _is_stuck(self, replica_id: str) -> bool:
        load = self._runtime.replica(replica_id)
        if load is None or not load.running:
            return True
        times = [attempt.dispatched_at for attempt in load.attempts.values()]
        return max(load.last_token_at or 0.0, *times) <= self._runtime.clock() - _STUCK_S

    def _remove(self, replica_id: str) -> None:
        timer = self._stuck.pop(replica_id, None)
        if timer is not None:
            timer.cancel()
        self._runtime.members.remove(replica_id)


def watch_policy(config: HealthCheckConfig) -> WatchPolicy:
    """Returns the configured policy."""
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


def _fitting(profile: Profile | None, model: str) -> tuple[Profile | None, str]:
    """Returns the expected profile, or None and a complaint where it is another model's."""
    if profile is None or model_key(profile.model) == model_key(model):
        return profile, ""
    return None, f"; its profile is of {profile.model}, not {model}: not used"


def _served(learned: Learned) -> str:
    facts, adapters = learned.facts, learned.endpoint.adapters
    also = f"; also {', '.join(adapters)}" if adapters else ""
    kind = "instruct" if facts.instruct.follows else "base"
    return (
        f"{facts.name}; fill-in-the-middle: {facts.fim.reason}; {kind} model "
        f"({facts.instruct.reason}){also}"
    )
