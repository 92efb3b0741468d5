"""Where replicas come from: this machine, a Ray cluster, and lists of what others run."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

import aiohttp

from cato_backend.config import Config
from cato_backend.discovery.addresses import make_source
from cato_backend.fleet.discovered import Discovered
from cato_backend.fleet.fleet import Fleet
from cato_backend.fleet.inventory import Inventory
from cato_backend.fleet.launch import PlannedReplica, local_launchers
from cato_backend.fleet.ray_launch import ray_launchers
from cato_backend.ray_cluster.cluster import RayCluster
from cato_backend.replicas.replica import Launcher
from cato_backend.replicas.sockets import SocketFolder
from cato_backend.runtime.runtime import Runtime
from cato_backend.wire.paths import state_dir

_RAY = "ray"


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
