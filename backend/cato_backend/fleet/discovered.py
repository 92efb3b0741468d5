"""Keeps the fleet in step with lists of replicas that others run.

A server that joins a list is watched as a configured one is; one that leaves it is drained. An
empty list, or a source that fails, removes no replica: what was listed last is kept.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections.abc import Sequence

from cato_backend.config import Config, ReplicaConfig
from cato_backend.discovery.source import Listing, Source
from cato_backend.errors import ConfigError, SourceUnavailable
from cato_backend.fleet.fleet import Fleet
from cato_backend.fleet.launch import expected_static
from cato_backend.replicas.watch import Backoff, WatchedServer
from cato_backend.runtime.runtime import Runtime

log = logging.getLogger(__name__)

_POLL_S = 0.2
"""Between two looks whether a replica that leaves still runs something."""
_KEPT = "what it listed last is kept"


class Discovered:
    """The replicas of all sources. A server that is listed more than once is one replica."""

    def __init__(
        self, config: Config, sources: Sequence[Source], fleet: Fleet, runtime: Runtime
    ) -> None:
        self._config = config
        self._sources = sources
        self._fleet = fleet
        self._runtime = runtime
        self._listed: dict[str, tuple[ReplicaConfig, ...]] = {}
        self._ids: dict[ReplicaConfig, str] = {}
        self._leaving: dict[ReplicaConfig, asyncio.Task[None]] = {}
        self._refused: set[ReplicaConfig] = set()
        """Listed, and not usable as they are listed."""
        self._numbers = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Begin to follow all sources; return at once."""
        for source in self._sources:
            self._fleet.sources.expect(source.name)
            self._tasks.append(asyncio.create_task(self._follow(source), name=source.name))

    async def close(self) -> None:
        """End it; the replicas stay as they are."""
        tasks = [*self._tasks, *self._leaving.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, source: Source) -> None:
        backoff, failures = Backoff(), 0
        while True:
            try:
                async for listing in source.follow():
                    failures = 0
                    self._take(source.name, listing)
            except SourceUnavailable as trouble:
                self._fail(source, trouble.reason, trouble.remedy)
            except Exception as error:
                log.exception("a defect while %s was read", source.name)
                text = f"it could not be read ({type(error).__name__})"
                self._fail(source, text, "report the trace in the log")
            failures += 1
            await asyncio.sleep(backoff.delay_s(failures, random.random()))

    def _fail(self, source: Source, trouble: str, remedy: str) -> None:
        kept = f"; {_KEPT}" if source.name in self._listed else ""
        self._fleet.sources.set(source.name, trouble + kept, remedy)

    def _take(self, name: str, listing: Listing) -> None:
        before = self._listed.get(name, ())
        if not listing.replicas:
            text = "it lists no replica" + (f"; {_KEPT} ({len(before)})" if before else "")
            text = f"{listing.complaint}; {text}" if listing.complaint else text
            self._fleet.sources.set(name, text, "list at least one that serves")
            return
        remedy = "correct it; the others are used" if listing.complaint else ""
        self._fleet.sources.set(name, listing.complaint, remedy)
        self._listed[name] = listing.replicas
        self._follow_listed()

    def _follow_listed(self) -> None:
        """Add the listed replicas that are missing; drain those that are no longer listed."""
        configured = {replica.url for replica in self._config.replicas}
        wanted: dict[str, ReplicaConfig] = {}
        for replica in itertools.chain(*self._listed.values()):
            if replica.url not in configured:
                wanted.setdefault(replica.url, replica)
        for replica in wanted.values():
            self._join(replica)
        for replica in self._ids.keys() - set(wanted.values()):
            self._leave(replica)

    def _join(self, replica: ReplicaConfig) -> None:
        leaving = self._leaving.pop(replica, None)
        if leaving is not None:
            leaving.cancel()
            self._fleet.keep(self._ids[replica])
            self._fleet.on_note(self._ids[replica], "is listed again, and gets requests")
        if replica in self._ids or replica in self._refused:
            return
        try:
            expected = expected_static(self._config, replica)
        except ConfigError as error:
            self._refused.add(replica)
            self._fleet.on_note(replica.url, f"is listed, and cannot be used: {error}")
            return
        replica_id = f"found-{next(self._numbers)}"
        self._ids[replica] = replica_id
        self._fleet.expect(replica_id, expected)
        self._fleet.on_note(replica_id, f"is listed: {replica.url}")
        self._fleet.watch(
            WatchedServer(replica_id, replica.url, replica.model, replica.token or None)
        )

    def _leave(self, replica: ReplicaConfig) -> None:
        if replica in self._leaving:
            return
        replica_id = self._ids[replica]
        load = self._runtime.replica(replica_id)
        running = 0 if load is None else load.running
        text = f"is no longer listed: {running} requests run to their end there, it gets no more"
        self._fleet.on_note(replica_id, text)
        self._fleet.drain(replica_id)
        self._leaving[replica] = asyncio.create_task(self._drop_drained(replica))

    async def _drop_drained(self, replica: ReplicaConfig) -> None:
        replica_id, clock = self._ids[replica], self._runtime.clock
        until = clock() + self._config.discovery.drain_s
        while clock() < until:
            load = self._runtime.replica(replica_id)
            if load is None or not load.running:
                break
            await asyncio.sleep(_POLL_S)
        del self._ids[replica], self._leaving[replica]
        self._fleet.drop(replica_id)
