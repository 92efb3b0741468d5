"""The gateway's connection to a cluster, before agents that follow a script in place of Ray."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cato_backend.engines.command import EmulationSpec, ModelSpec
from cato_backend.errors import EngineError, ReplicaLost
from cato_backend.ray_cluster.agent_process import AgentProcess, check_reachable
from cato_backend.ray_cluster.cluster import RayCluster
from cato_backend.ray_cluster.life import RayLife
from cato_backend.ray_cluster.orders import LifeOrder, NodeShare

AGENT = """
import json, sys

def say(**event):
    print(json.dumps(event), flush=True)

events, orders, dies_after = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
for event in events:
    say(**event)
for line in sys.stdin:
    with open(orders, "a") as file:
        file.write(line)
    order = json.loads(line)
    if order["do"] == "start" and dies_after == "start-silently":
        sys.exit(1)
    elif order["do"] == "start":
        say(event="started", life=order["order"]["life"], url="http://node:1", node="node")
    elif order["do"] == "adopt":
        say(event="log", life=order["life"], offset=7, data="bmV3cwo=")
        say(event="pending", life=order["life"], text="adopted")
    else:
        say(event="gone", life=order["life"])
        say(event="head", is_up=False)
    if order["do"] == dies_after:
        sys.exit(1)
"""
CONNECTED = {"event": "connected", "nodes": 3, "version": "2.60.0"}
ORDER = LifeOrder("replica-1-x", ModelSpec("m", "m"), EmulationSpec(), NodeShare(1, 0), "key")


class Scripted:
    """A connection whose agents play one script after the other, the last one again and again."""

    def __init__(self, folder: Path) -> None:
        self.scripts: list[tuple[Sequence[dict[str, Any]], str]] = [((CONNECTED,), "")]
        self.states: asyncio.Queue[str] = asyncio.Queue()
        self.notes: asyncio.Queue[str] = asyncio.Queue()
        self.resources: asyncio.Queue[tuple[Mapping[str, float], Mapping[str, float]]]
        self.resources = asyncio.Queue()
        self.cluster = RayCluster(
            "auto",
            folder / "ray.log",
            self._on_state,
            lambda total, free: self.resources.put_nowait((total, free)),
        )
        self._orders = folder / "orders"

    def _on_state(self, trouble: str, remedy: str) -> None:
        self.states.put_nowait(trouble)

    async def start_agent(self, address: str, log: Path) -> AgentProcess:
        assert address == "auto"
        events, dies_after = self.scripts[0] if len(self.scripts) == 1 else self.scripts.pop(0)
        script = (AGENT, json.dumps(events), str(self._orders), dies_after)
        return AgentProcess(
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", *script, stdin=PIPE, stdout=PIPE
            )
        )

    def life(self, folder: Path) -> RayLife:
        return RayLife(folder / "replica-1.log", self.notes.put_nowait)

    def orders(self) -> list[str]:
        return [json.loads(line)["do"] for line in self._orders.read_text().splitlines()]


@pytest.fixture
async def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scripted]:
    opened = Scripted(tmp_path)
    monkeypatch.setattr(AgentProcess, "start", opened.start_agent)
    async with asyncio.timeout(30):
        yield opened
        await opened.cluster.close()


async def test_a_life_begins_and_ends(scripted: Scripted, tmp_path: Path) -> None:
    scripted.cluster.open()
    life = scripted.life(tmp_path)
    assert await scripted.cluster.begin(ORDER, life) == "http://node:1"
    await scripted.cluster.end(ORDER.life)
    assert life.gone.is_set()
    assert scripted.orders() == ["start", "end"]


async def test_a_life_outlives_the_agent_and_is_taken_over(
    scripted: Scripted, tmp_path: Path
) -> None:
    scripted.scripts = [((CONNECTED,), "start"), ((CONNECTED,), "")]
    scripted.cluster.open()
    life = scripted.life(tmp_path)
    await scripted.cluster.begin(ORDER, life)
    assert await scripted.states.get() == ""
    assert "is lost; what runs goes on" in await scripted.states.get()
    assert not life.ended.done()
    assert await scripted.states.get() == ""
    while await scripted.notes.get() != "adopted":
        pass
    assert (tmp_path / "replica-1.log").read_text() == "news\n"
    assert scripted.orders() == ["start", "adopt"]


async def test_a_life_that_was_to_end_meanwhile_is_ended_by_the_next_agent(
    scripted: Scripted, tmp_path: Path
) -> None:
    scripted.scripts = [((CONNECTED,), "start"), ((CONNECTED,), "")]
    scripted.cluster.open()
    await scripted.cluster.begin(ORDER, scripted.life(tmp_path))
    while "is lost" not in await scripted.states.get():
        pass
    await scripted.cluster.end(ORDER.life)
    while "does not answer" not in await scripted.states.get():
        pass
    assert scripted.orders() == ["start", "end"]


async def test_a_start_that_the_connection_did_not_live_to_see_is_lost(
    scripted: Scripted, tmp_path: Path
) -> None:
    scripted.scripts = [((CONNECTED,), "start-silently"), ((CONNECTED,), "")]
    scripted.cluster.open()
    with pytest.raises(ReplicaLost, match="while it started"):
        await scripted.cluster.begin(ORDER, scripted.life(tmp_path))


async def test_another_version_is_an_error_for_waiting_launchers(
    scripted: Scripted, tmp_path: Path
) -> None:
    told = {"event": "refused", "text": "Version mismatch: Ray 1, not 2", "is_final": True}
    scripted.scripts = [((told,), "")]
    scripted.cluster.open()
    with pytest.raises(EngineError, match="Version mismatch: Ray 1, not 2; install the cluster's"):
        await scripted.cluster.begin(ORDER, scripted.life(tmp_path))


async def test_a_cluster_that_is_not_ready_is_waited_for(
    scripted: Scripted, tmp_path: Path
) -> None:
    told = {"event": "refused", "text": "its head starts", "is_final": False}
    scripted.scripts = [((told,), ""), ((CONNECTED,), "")]
    scripted.cluster.open()
    assert await scripted.cluster.begin(ORDER, scripted.life(tmp_path)) == "http://node:1"
    assert "its head starts" in await scripted.states.get()
    assert await scripted.notes.get() == "waits for the Ray cluster at auto"


async def test_an_address_where_nothing_listens_is_named() -> None:
    with pytest.raises(ReplicaLost, match="nothing answers there"):
        await check_reachable("127.0.0.1:1")
    await check_reachable("auto")


async def test_the_resources_of_the_cluster_are_told(scripted: Scripted) -> None:
    told = {"event": "resources", "total": {"GPU": 8.0}, "free": {"GPU": 3.0}}
    scripted.scripts = [((CONNECTED, told), "")]
    scripted.cluster.open()
    assert await scripted.resources.get() == ({"GPU": 8.0}, {"GPU": 3.0})
