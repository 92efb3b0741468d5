"""The watches of all replicas of a fleet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from cato_backend.replicas.watch import Watch, WatchedServer, WatchListener, WatchPolicy


class Watcher:
    """Watches any number of replicas, each in a task of its own, until `close`."""

    def __init__(
        self,
        policy: WatchPolicy,
        session: aiohttp.ClientSession,
        listener: WatchListener,
        is_in_demand: Callable[[], bool],
    ) -> None:
        self._policy = policy
        self._session = session
        self._listener = listener
        self._is_in_demand = is_in_demand
        self._watches: dict[str, tuple[Watch, asyncio.Task[None]]] = {}

    def watch(self, target: WatchedServer) -> None:
        """Begin to watch; return at once."""
        name = target.replica_id
        assert name not in self._watches, f"two replicas are called {name}"
        watch = Watch(target, self._policy, self._session, self._listener, self._is_in_demand)
        self._watches[name] = watch, asyncio.create_task(watch.run(), name=f"watch {name}")

    def unwatch(self, replica_id: str) -> None:
        """End one watch; the listener gets no further calls about the replica."""
        found = self._watches.pop(replica_id, None)
        if found is not None:
            found[1].cancel()

    def look(self, replica_id: str) -> None:
        """Request a health check at once."""
        if replica_id in self._watches:
            self._watches[replica_id][0].look()

    def lose(self, replica_id: str) -> None:
        """Report that a replica was taken out of service: it must be admitted again."""
        if replica_id in self._watches:
            self._watches[replica_id][0].lose()

    async def confirm(self, replica_id: str) -> bool:
        """Describe one replica at once; return whether it is up and serves what it served."""
        found = self._watches.get(replica_id)
        return found is not None and await found[0].confirm()

    async def refresh(self) -> None:
        """Describe every replica at once."""
        await asyncio.gather(*(watch.confirm() for watch, _ in self._watches.values()))

    async def close(self) -> None:
        """End all watches."""
        tasks = [task for _, task in self._watches.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watches.clear()
