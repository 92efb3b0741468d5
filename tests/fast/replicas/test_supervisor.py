"""The supervisor over scripted lives: what it tells, what it retries, when it gives up."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from cato_backend.errors import EngineError, ReplicaLost
from cato_backend.replicas.replica import Replica
from cato_backend.replicas.supervisor import RestartPolicy, Supervisor

QUICK = RestartPolicy(max_restarts=2, first_delay_s=0.001, max_delay_s=0.002)
REPLICA = Replica("r1", "http://127.0.0.1:1", "m", 2048)


@dataclass
class Listener:
    """Keeps what it was told, and can be waited for."""

    told: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def on_up(self, replica: Replica) -> None:
        self.told.put_nowait(f"up {replica.id}")

    def on_down(self, replica_id: str, reason: str) -> None:
        self.told.put_nowait(f"down {replica_id}: {reason}")

    def on_asleep(self, replica_id: str) -> None:
        self.told.put_nowait(f"asleep {replica_id}")

    def on_note(self, replica_id: str, text: str) -> None:
        self.told.put_nowait(f"note {replica_id}: {text}")

    def on_failed(self, replica_id: str, reason: str) -> None:
        self.told.put_nowait(f"failed {replica_id}: {reason}")

    def on_ended(self, replica_id: str) -> None:
        self.told.put_nowait(f"ended {replica_id}")


@dataclass
class Life:
    """Comes up unless told to fail; dies when told."""

    fails: str | None = None
    is_lost: bool = False
    dies: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: int = 0

    async def wait_ready(self) -> Replica:
        if self.fails:
            raise ReplicaLost(self.fails) if self.is_lost else EngineError(self.fails)
        return REPLICA

    async def wait_dead(self) -> str:
        await self.dies.wait()
        return "it died"

    async def sleep(self) -> None: ...

    async def wake(self) -> None: ...

    async def stop(self) -> None:
        self.stopped += 1


class Script:
    """A launcher that plays lives one after the other."""

    replica_id = "r1"

    def __init__(self, *lives: Life) -> None:
        self.lives = list(lives)
        self.begun: list[Life] = []

    async def launch(self) -> Life:
        self.begun.append(self.lives.pop(0))
        return self.begun[-1]


def dead() -> Life:
    life = Life()
    life.dies.set()
    return life


async def test_a_replica_that_dies_is_started_again() -> None:
    listener, script = Listener(), Script(dead(), Life())
    supervisor = Supervisor(listener, QUICK)
    supervisor.keep(script)
    told = [await listener.told.get() for _ in range(4)]
    await supervisor.close()
    assert told == [
        "up r1",
        "down r1: it died",
        "note r1: it died; starting again in 0.001 s",
        "up r1",
    ]
    assert await listener.told.get() == "down r1: shutting down"
    assert [life.stopped for life in script.begun] == [1, 1]


async def test_a_first_load_that_dies_is_given_up_at_once() -> None:
    listener, script = Listener(), Script(Life(fails="no such model"), Life())
    supervisor = Supervisor(listener, QUICK)
    supervisor.keep(script)
    assert str(await supervisor.wait_failed()) == "no such model"
    assert await listener.told.get() == "failed r1: no such model"
    await supervisor.close()
    assert [life.stopped for life in script.begun] == [1]


async def test_a_first_load_whose_node_dies_is_tried_again() -> None:
    listener, script = Listener(), Script(Life(fails="its node died", is_lost=True), Life())
    supervisor = Supervisor(listener, QUICK)
    supervisor.keep(script)
    told = [await listener.told.get() for _ in range(2)]
    await supervisor.close()
    assert told == ["note r1: its node died; starting again in 0.001 s", "up r1"]


async def test_one_that_keeps_dying_is_given_up() -> None:
    script = Script(dead(), dead(), Life(fails="out of memory"), Life())
    supervisor = Supervisor(Listener(), QUICK)
    supervisor.keep(script)
    error = str(await supervisor.wait_failed())
    await supervisor.close()
    assert error == "r1 was given up after 2 restarts: out of memory"


async def test_without_a_limit_it_is_started_again_for_ever() -> None:
    listener, script = Listener(), Script(*(dead() for _ in range(1100)), Life())
    supervisor = Supervisor(listener, RestartPolicy(first_delay_s=0, max_delay_s=0))
    supervisor.keep(script)
    ups = 0
    while ups < 1101:
        ups += await listener.told.get() == "up r1"
    await supervisor.close()


async def test_a_long_life_forgives() -> None:
    now = [0.0]

    class Long(Life):
        async def wait_dead(self) -> str:
            now[0] += QUICK.steady_s
            return "it died"

    script = Script(Long(), Long(), Long(), Long(), Life())
    listener = Listener()
    supervisor = Supervisor(listener, QUICK, clock=lambda: now[0])
    supervisor.keep(script)
    ups = 0
    while ups < 5:
        ups += await listener.told.get() == "up r1"
    await supervisor.close()


@pytest.mark.parametrize(
    ("restarts", "delay_s"), [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, 30.0), (60, 30.0)]
)
def test_delays_grow_to_a_limit(restarts: int, delay_s: float) -> None:
    assert RestartPolicy().delay_s(restarts) == delay_s


async def test_a_replica_sleeps_and_is_up_again_when_it_has_woken() -> None:
    listener = Listener()
    supervisor = Supervisor(listener, QUICK)
    supervisor.keep(Script(Life()))
    assert await listener.told.get() == "up r1"
    await supervisor.sleep("r1")
    assert await listener.told.get() == "asleep r1"
    await supervisor.wake("r1")
    assert await listener.told.get() == "up r1"
    await supervisor.close()


async def test_one_that_dies_asleep_is_not_started_again_by_itself() -> None:
    listener, life = Listener(), Life()
    supervisor = Supervisor(listener, QUICK)
    script = Script(life, Life())
    supervisor.keep(script)
    assert await listener.told.get() == "up r1"
    await supervisor.sleep("r1")
    life.dies.set()
    told = [await listener.told.get() for _ in range(3)]
    assert told == ["asleep r1", "down r1: it died", "note r1: died asleep: it died"]
    with pytest.raises(EngineError, match="r1 is not up"):
        await supervisor.wake("r1")
    await supervisor.release("r1")
    assert script.begun == [life]
    assert not supervisor.knows("r1")
