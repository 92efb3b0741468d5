"""The gateway's connection to a Ray cluster: kept, and made again with back-off when it is lost."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cato_backend.errors import EngineError, ReplicaLost
from cato_backend.ray_cluster.agent_process import AgentProcess, check_reachable
from cato_backend.ray_cluster.life import RayLife
from cato_backend.ray_cluster.orders import LifeOrder
from cato_backend.replicas.watch import Backoff

log = logging.getLogger(__name__)

OnState = Callable[[str, str], None]
"""Receives the trouble with the cluster and its remedy; nothing where there is none."""

OnResources = Callable[[Mapping[str, float], Mapping[str, float]], None]
"""Receives what the cluster has of each resource: in total, and free."""

_CONNECT_S = 90.0
_GONE_S = 20.0
_AWAY = "what runs goes on, nothing can be started or stopped"
_REMEDY = "bring its head back; it is tried again with back-off"


class RayCluster:
    """One cluster. No method blocks: Ray is spoken to by a process of its own."""

    def __init__(
        self,
        address: str,
        log: Path,
        on_state: OnState,
        on_resources: OnResources,
    ) -> None:
        self._address = address
        self._log = log
        self._on_state = on_state
        self._on_resources = on_resources
        self._agent: AgentProcess | None = None
        self._connected = False
        self._lives: dict[str, RayLife] = {}
        self._to_end: set[str] = set()
        """Lives that were to end while there was no connection."""
        self._waiting: list[asyncio.Future[None]] = []
        self._running: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to connect; return at once."""
        self._running = asyncio.create_task(self._run(), name="ray")

    async def begin(self, order: LifeOrder, life: RayLife) -> str:
        """Begin a life, once there is a connection; return its URL.

        Raises ReplicaLost where node or cluster fail, EngineError where the engine does.
        """
        await self._wait_connected(life)
        self._lives[order.life] = life
        self._order({"do": "start", "order": order.to_json()})
        return await life.started

    async def end(self, name: str) -> None:
        """End a life; return once it is over, or is ended when there is a connection again."""
        self._to_end.add(name)
        life = self._lives.get(name)
        if life is None or not self._connected:
            self._lives.pop(name, None)
            return
        self._order({"do": "end", "life": name})
        with suppress(TimeoutError):
            async with asyncio.timeout(_GONE_S):
                await life.gone.wait()

    async def close(self) -> None:
        """End all lives and the connection."""
        agent, self._agent = self._agent, None
        if agent is not None:
            await agent.close()
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    # -- the connection --------------------------------------------------------------------------

    async def _run(self) -> None:
        backoff, failures = Backoff(), 0
        while True:
            was_connected = await self._connect_once()
            failures = 1 if was_connected else failures + 1
            await asyncio.sleep(backoff.delay_s(failures, random.random()))

    async def _connect_once(self) -> bool:
        """Connect, and stay so as long as that lasts; return whether it came to that."""
        try:
            await check_reachable(self._address)
        except ReplicaLost as trouble:
            self._on_state(f"no Ray cluster at {self._address}: {trouble}; {_AWAY}", _REMEDY)
            return False
        agent = self._agent = await AgentProcess.start(self._address, self._log)
        try:
            came = await self._listen(agent)
        finally:
            agent.kill()
        self._disconnected("refused" in came)
        return "connected" in came

    async def _listen(self, agent: AgentProcess) -> set[str]:
        """Handle events until the agent ends or is refused; return which of them came."""
        deadline = asyncio.get_running_loop().call_later(_CONNECT_S, agent.kill)
        came: set[str] = set()
        async for event in agent.events():
            came.add(event["event"])
            if "connected" in came:
                deadline.cancel()
            self._handle(event)
            if "refused" in came:
                break
        deadline.cancel()
        return came

    def _disconnected(self, is_told: bool) -> None:
        self._connected = False
        if self._agent is None:
            return  # It was closed.
        if not is_told:
            text = f"the connection to the Ray cluster at {self._address} is lost; {_AWAY}"
            self._on_state(text, _REMEDY)
        for life in list(self._lives.values()):
            life.lose_start("the connection to the Ray cluster was lost while it started")
        for name in self._to_end & self._lives.keys():
            self._lives.pop(name).gone.set()

    def _order(self, order: Mapping[str, Any]) -> None:
        if self._agent is not None:
            self._agent.order(order)

    async def _wait_connected(self, life: RayLife) -> None:
        while not self._connected:
            life.on_note(f"waits for the Ray cluster at {self._address}")
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    # -- events ----------------------------------------------------------------------------------

    def _handle(self, event: Mapping[str, Any]) -> None:
        match event["event"]:
            case "connected":
                self._on_connected()
            case "refused":
                self._on_refused(event["text"], event["is_final"])
            case "head":
                self._on_head(event["is_up"])
            case "resources":
                self._on_resources(event["total"], event["free"])
            case "gone":
                self._on_gone(event["life"])
            case _:
                self._of_life(event)

    def _on_connected(self) -> None:
        self._connected = True
        self._on_state("", "")
        for name in list(self._to_end):
            self._order({"do": "end", "life": name})
        for name, life in self._lives.items():
            self._order({"do": "adopt", "life": name, "offset": life.log_offset})
        self._wake(None)

    def _on_refused(self, text: str, is_final: bool) -> None:
        trouble = f"the Ray cluster at {self._address} refuses: {text}"
        remedy = "install the cluster's versions of Ray and Python here" if is_final else _REMEDY
        self._on_state(trouble, remedy)
        if is_final:
            self._wake(EngineError(f"{trouble}; {remedy}"))

    def _on_head(self, is_up: bool) -> None:
        text = f"the head of the Ray cluster at {self._address} does not answer; {_AWAY}"
        self._on_state(*("", "") if is_up else (text, _REMEDY))

    def _wake(self, error: EngineError | None) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if each.done():
                continue
            if error is None:
                each.set_result(None)
            else:
                each.set_exception(error)

    def _on_gone(self, name: str) -> None:
        self._to_end.discard(name)
        life = self._lives.pop(name, None)
        if life is not None:
            life.gone.set()

    def _of_life(self, event: Mapping[str, Any]) -> None:
        life = self._lives.get(event["life"])
        if life is None:
            return
        match event["event"]:
            case "pending":
                life.on_note(event["text"])
            case "started":
                life.start(event["url"], event["node"])
            case "log":
                life.write_log(base64.b64decode(event["data"]), event["offset"])
            case "failed":
                life.fail(EngineError(event["text"]))
            case "lost":
                life.fail(ReplicaLost(event["text"]))
            case "ended":
                life.end(event["status"])
            case _:
                log.debug("ray: %s", event)
