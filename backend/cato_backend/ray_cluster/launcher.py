"""Brings replicas to life on the nodes of a Ray cluster."""

from __future__ import annotations

import asyncio
import secrets

import aiohttp

from cato_backend.errors import EngineError
from cato_backend.ray_cluster.cluster import RayCluster
from cato_backend.ray_cluster.life import RayLife
from cato_backend.ray_cluster.orders import LifeOrder, NodeShare
from cato_backend.replicas.local import LocalSpec
from cato_backend.replicas.readiness import OnNote, Readiness, StartedEngine
from cato_backend.replicas.replica import Replica


class RayLauncher:
    """Implements `Launcher`; each life has a name, a port and a key of its own."""

    def __init__(
        self,
        spec: LocalSpec,
        share: NodeShare,
        cluster: RayCluster,
        session: aiohttp.ClientSession,
        on_note: OnNote,
    ) -> None:
        self._spec = spec
        self._room = share
        self._cluster = cluster
        self._session = session
        self._on_note = on_note

    @property
    def replica_id(self) -> str:
        """The id of its replica."""
        return self._spec.replica_id

    async def launch(self) -> RayReplica:
        """Wait for the cluster and for its share of a node, and start the engine.

        Raises ReplicaLost where node or cluster fail, EngineError where the engine does.
        """
        spec = self._spec
        name = f"{spec.replica_id}-{secrets.token_hex(6)}"
        key = secrets.token_urlsafe(24)
        order = LifeOrder(name, spec.model, spec.engine, self._room, key)
        life = RayLife(spec.log, self._on_note)
        running = RayReplica(self._cluster, name, life)
        try:
            url = await self._cluster.begin(order, life)
        except BaseException:
            await asyncio.shield(running.stop())
            raise
        engine = StartedEngine(
            spec.replica_id, spec.model.name, url, key, spec.log, spec.start_timeout_s
        )
        running.readiness = Readiness(engine, self._session, self._on_note, life.ended, life.why)
        return running


class RayReplica:
    """Implements `Running`."""

    readiness: Readiness

    def __init__(self, cluster: RayCluster, name: str, life: RayLife) -> None:
        self._cluster = cluster
        self._name = name
        self._life = life

    async def wait_ready(self) -> Replica:
        """Wait for `/health`, telling what the log says meanwhile.

        Raises ReplicaLost when its node dies, EngineError with the log's last lines when the engine
        dies, or takes too long.
        """
        return await self.readiness.wait()

    async def wait_dead(self) -> str:
        """Wait until engine, actor or node are dead, as far as the cluster can tell."""
        await asyncio.wait([self._life.ended])
        return f"the engine ended: {self._life.ended.result().decode()}"

    async def sleep(self) -> None:
        """Raise EngineError: replicas on Ray are stopped and started."""
        raise EngineError("a replica on Ray does not sleep")

    async def wake(self) -> None:
        """Raise EngineError: replicas on Ray are stopped and started."""
        raise EngineError("a replica on Ray does not sleep")

    async def stop(self) -> None:
        """End engine and actor; where the cluster is away, once it is there again."""
        await self._cluster.end(self._name)
        self._life.close()
