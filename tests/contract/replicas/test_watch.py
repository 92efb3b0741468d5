"""A watch over a replica that comes, goes, changes and lies; nothing of it ends the watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest

from cato_backend.errors import ReplicaUnavailable
from cato_backend.replicas.replica import Replica
from cato_backend.replicas.watch import Backoff, WatchedServer, WatchPolicy
from cato_backend.replicas.watcher import Watcher
from cato_lab.emulator import Behaviour, Emulator
from tests.fakes import fake_vllm

QUICK = WatchPolicy(
    interval_s=0.02,
    timeout_s=2.0,
    unhealthy_threshold=3,
    models_interval_s=0.05,
    backoff=Backoff(initial_s=0.02, max_s=0.1),
)
PATIENCE_S = 10.0


@dataclass
class Listener:
    """Keeps what it was told, and can be waited for."""

    told: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    refuses: int = 0
    """Admissions that fail before one does not."""
    defects: int = 0

    async def admit(self, replica: Replica) -> None:
        if self.defects:
            self.defects -= 1
            raise RuntimeError("a defect")
        if self.refuses:
            self.refuses -= 1
            raise ReplicaUnavailable("it is not ready", "wait")
        self.told.put_nowait(f"up {replica.model} {replica.max_model_len}")

    def on_changed(self, replica: Replica) -> None:
        names = ",".join(replica.adapters)
        self.told.put_nowait(f"changed {replica.max_model_len} [{names}]")

    def on_unavailable(self, replica_id: str, trouble: ReplicaUnavailable) -> None:
        self.told.put_nowait(f"down {trouble.reason}")

    async def next(self, but_for: str = "") -> str:
        """What is told next that differs from `but_for`."""
        async with asyncio.timeout(PATIENCE_S):
            while (said := await self.told.get()) == but_for:
                pass
        return said


@pytest.fixture
async def fake() -> AsyncIterator[Emulator]:
    async with fake_vllm(Behaviour(model="a")) as running:
        yield running


@asynccontextmanager
async def watched(
    fake: Emulator,
    policy: WatchPolicy = QUICK,
    listener: Listener | None = None,
    model: str = "",
    in_demand: bool = False,
) -> AsyncGenerator[tuple[Watcher, Listener]]:
    listener = listener or Listener()
    async with aiohttp.ClientSession() as session:
        watcher = Watcher(policy, session, listener, lambda: in_demand)
        watcher.watch(WatchedServer("r", fake.url, model))
        yield watcher, listener
        await watcher.close()


REFUSED = "down the connection was refused"


async def test_up_down_and_up_again_as_often_as_it_likes(fake: Emulator) -> None:
    async with watched(fake) as (_, listener):
        assert await listener.next() == "up a 4096"
        for _ in range(8):
            await fake.change(listening=False)
            assert await listener.next() == REFUSED
            await fake.change(listening=True)
            assert await listener.next(but_for=REFUSED) == "up a 4096"


async def test_one_that_is_not_there_yet(fake: Emulator) -> None:
    await fake.change(listening=False)
    async with watched(fake) as (_, listener):
        assert [await listener.next() for _ in range(3)] == [REFUSED] * 3
        await fake.change(listening=True)
        assert await listener.next(but_for=REFUSED) == "up a 4096"


async def test_unhealthy_is_down_after_some_looks_and_not_after_one(fake: Emulator) -> None:
    async with watched(fake) as (watcher, listener):
        assert await listener.next() == "up a 4096"
        await fake.change(healthy=False)
        assert not await watcher.confirm("r"), "one look has failed"
        assert listener.told.empty(), "one is not enough"
        assert await listener.next() == "down /health answered HTTP 503"
        await fake.change(healthy=True)
        assert await listener.next(but_for="down /health answered HTTP 503") == "up a 4096"


@pytest.mark.parametrize(
    "strange",
    ["null", '{"data": null}', '{"data": []}', "", "{", '{"data": [{"id": 7}]}', '{"data": [7]}',
     '{"data": "a"}', "<html>", "[[]]"],
)  # fmt: skip
async def test_a_list_of_models_that_is_strange_once(fake: Emulator, strange: str) -> None:
    """Before it is up it is asked again; once it is up, nothing happens."""
    await fake.change(listings=(strange,))
    async with watched(fake) as (watcher, listener):
        assert (await listener.next()).startswith("down ")
        assert await listener.next() == "up a 4096"
        await fake.change(listings=(strange,))
        assert not await watcher.confirm("r")
        assert await watcher.confirm("r")
        assert listener.told.empty()


async def test_a_list_of_models_that_stays_strange(fake: Emulator) -> None:
    async with watched(fake) as (_, listener):
        assert await listener.next() == "up a 4096"
        await fake.change(listings=('{"data": null}',) * 5)
        assert await listener.next() == "down its /v1/models lists no model"
        assert await listener.next(but_for="down its /v1/models lists no model") == "up a 4096"


async def test_another_model_behind_the_same_url(fake: Emulator) -> None:
    """Noticed though the server was never away."""
    async with watched(fake) as (_, listener):
        assert await listener.next() == "up a 4096"
        await fake.change(model="b", max_model_len=1024)
        assert await listener.next() == "down it serves 'b' now, no longer 'a'"
        assert await listener.next() == "up b 1024"


async def test_a_model_that_must_be_there(fake: Emulator) -> None:
    missing = "down it serves 'b', not 'a'"
    async with watched(fake, model="a") as (_, listener):
        assert await listener.next() == "up a 4096"
        await fake.change(model="b")
        assert await listener.next() == missing
        await fake.change(model="a")
        assert await listener.next(but_for=missing) == "up a 4096"


async def test_what_changes_beside_the_model_is_told_without_an_absence(fake: Emulator) -> None:
    async with watched(fake) as (watcher, listener):
        assert await listener.next() == "up a 4096"
        await fake.change(adapters=("sql",))
        assert await listener.next() == "changed 4096 [sql]"
        await fake.change(max_model_len=8192, adapters=())
        assert await listener.next() == "changed 8192 []"
        assert await watcher.confirm("r")


async def test_a_key_that_is_changed_is_enough_by_itself(fake: Emulator) -> None:
    async with watched(fake) as (_, listener):
        assert await listener.next() == "up a 4096"
        await fake.change(api_key="new")
        assert "requires an API key" in await listener.next()


async def test_what_is_lost_is_admitted_again_at_once(fake: Emulator) -> None:
    """The listener has taken it out of service, and waits for it to be admitted."""
    slow = WatchPolicy(interval_s=60, models_interval_s=60)
    async with watched(fake, slow) as (watcher, listener):
        assert await listener.next() == "up a 4096"
        watcher.lose("r")
        assert await listener.next() == "up a 4096"


async def test_a_look_that_is_asked_for_does_not_wait(fake: Emulator) -> None:
    slow = WatchPolicy(interval_s=60, models_interval_s=60)
    async with watched(fake, slow) as (watcher, listener):
        assert await listener.next() == "up a 4096"
        assert await watcher.confirm("r")
        await fake.change(model="b")
        assert not await watcher.confirm("r"), "it serves something else"
        assert not await watcher.confirm("unknown")
        await listener.next()
        assert await listener.next() == "up b 4096"


async def test_while_requests_wait_it_is_looked_for_more_often(fake: Emulator) -> None:
    await fake.change(listening=False)
    slow = WatchPolicy(backoff=Backoff(initial_s=60, max_s=60))
    async with watched(fake, slow, in_demand=True) as (_, listener):
        assert await listener.next() == REFUSED
        await fake.change(listening=True)
        assert await listener.next(but_for=REFUSED) == "up a 4096"


async def test_what_fails_at_its_admission_is_tried_again(fake: Emulator) -> None:
    async with watched(fake, listener=Listener(refuses=2)) as (_, listener):
        said = [await listener.next() for _ in range(3)]
    assert said == ["down it is not ready", "down it is not ready", "up a 4096"]


async def test_a_defect_does_not_end_the_watch(
    fake: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with watched(fake, listener=Listener(defects=1)) as (_, listener):
        assert "RuntimeError" in await listener.next()
        assert await listener.next() == "up a 4096"
    assert "Traceback" in caplog.text


async def test_a_caller_of_confirm_is_answered_at_the_end(fake: Emulator) -> None:
    slow = WatchPolicy(backoff=Backoff(initial_s=60, max_s=60))
    async with watched(fake, slow) as (watcher, listener):
        assert await listener.next() == "up a 4096"
        asking = asyncio.create_task(watcher.confirm("r"))
        await asyncio.sleep(0)
        watcher.unwatch("r")
        assert not await asking
