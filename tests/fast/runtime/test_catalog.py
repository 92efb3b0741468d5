"""Names of models: what is known, what may still come, and what is refused."""

from __future__ import annotations

import asyncio

import pytest

from cato_backend.errors import NoReplica, NotFound
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.facts import ModelFacts
from cato_backend.wire.headers import Task

PATIENCE_S = 5.0


class Site:
    """A catalog with a clock and with a look at the fleet that the test answers."""

    def __init__(self, *configured: str, tasks: dict[Task, str] | None = None) -> None:
        self.now = 100.0
        self.catalog = Catalog(configured, tasks or {}, expected_s=60, clock=lambda: self.now)
        self.catalog.on_unknown_name(self.look)
        self.looks = 0
        self.looked = asyncio.Event()
        self.looked.set()

    async def look(self) -> None:
        self.looks += 1
        await self.looked.wait()

    async def resolve(self, name: str, patience_s: float = PATIENCE_S) -> str:
        return await self.catalog.resolve(name, Task.COMPLETION, patience_s)

    def asking(self, name: str) -> asyncio.Task[str]:
        return asyncio.create_task(self.resolve(name))


async def waits(asking: asyncio.Task[str]) -> bool:
    for _ in range(20):
        await asyncio.sleep(0)
    return not asking.done()


@pytest.mark.parametrize("name", ["a", "cato"])
async def test_before_anything_is_described_every_name_waits(name: str) -> None:
    site = Site()
    site.catalog.expect("r1")
    asking = site.asking(name)
    assert await waits(asking)
    assert site.catalog.unresolved == 1
    site.now += 1000
    site.catalog.learn("r1", ModelFacts("a"))
    assert await asking == "a"
    assert site.catalog.unresolved == 0
    with pytest.raises(NoReplica, match="no replica has been reached"):
        await Site().resolve("a", 0.01)


async def test_an_unknown_name_is_looked_for_once_and_refused() -> None:
    site = Site()
    site.catalog.learn("r1", ModelFacts("a"), ("sql",))
    with pytest.raises(NotFound, match=r"got 'b', expected one of cato, .*, a, sql"):
        await site.resolve("b")
    assert site.looks == 1
    for name in ("a", "sql", "cato"):
        await site.resolve(name)
    assert site.looks == 1


async def test_a_name_that_the_look_finds() -> None:
    site = Site()
    site.catalog.learn("r1", ModelFacts("a"))
    site.looked.clear()
    asking = site.asking("b")
    assert await waits(asking)
    site.catalog.learn("r1", ModelFacts("b"))
    assert await asking == "b"


async def test_a_replica_that_is_away_may_come_back_with_any_name() -> None:
    site = Site()
    for name in ("r1", "r2"):
        site.catalog.expect(name)
        site.catalog.learn(name, ModelFacts("a"))
    site.catalog.lose("r2")
    asking = site.asking("b")
    assert await waits(asking)
    site.catalog.learn("r2", ModelFacts("b"))
    assert await asking == "b"
    site.catalog.lose("r2")
    with pytest.raises(NoReplica, match=r"'c' is served by no replica that answers") as refused:
        await site.resolve("c", 0.01)
    assert refused.value.param == "model"
    site.now += 61
    with pytest.raises(NotFound):
        await site.resolve("c")
    assert await site.resolve("b") == "b", "what it served is held, however long it is away"


async def test_replicas_that_are_started_here_bring_no_other_names() -> None:
    site = Site("coder")
    assert await site.resolve("coder") == "coder"
    with pytest.raises(NotFound):
        await site.resolve("b")
    site.catalog.learn("replica-1", ModelFacts("coder"))
    site.catalog.lose("replica-1")
    with pytest.raises(NotFound):
        await site.resolve("b")


async def test_a_look_that_takes_longer_than_the_patience_makes_no_error_of_the_server() -> None:
    site = Site()
    site.catalog.learn("r1", ModelFacts("a"))
    site.looked.clear()
    with pytest.raises(NotFound):
        await site.resolve("b", 1e-6)
    site.catalog.expect("r2")
    with pytest.raises(NoReplica):
        await site.resolve("b", 1e-6)


async def test_no_patience_no_look() -> None:
    site = Site()
    site.catalog.learn("r1", ModelFacts("a"))
    with pytest.raises(NotFound):
        await site.resolve("b", 0)
    site.catalog.expect("r2")
    with pytest.raises(NoReplica):
        await site.resolve("b", 0)
    assert site.looks == 0


async def test_the_alias_follows_what_is_served() -> None:
    site = Site("coder")
    site.catalog.expect("r1")
    site.catalog.learn("r1", ModelFacts("a"))
    assert await site.resolve("cato") == "a", "the first model is still being loaded"
    site.catalog.learn("replica-1", ModelFacts("coder"))
    assert await site.resolve("cato") == "coder"
    site.catalog.lose("replica-1")
    assert await site.resolve("cato") == "a"
    site.catalog.lose("r1")
    assert await site.resolve("cato") == "coder", "with nothing served, the first is waited for"


async def test_a_task_keeps_to_its_configured_model() -> None:
    site = Site("coder", tasks={Task.COMPLETION: "a"})
    site.catalog.learn("replica-1", ModelFacts("coder"))
    site.catalog.expect("r1", "a")
    assert await site.resolve("cato") == "a"
    assert site.catalog.tasks_of("a") == (Task.COMPLETION,)


async def test_a_task_whose_model_nothing_serves_is_named() -> None:
    site = Site("coder", tasks={Task.COMPLETION: "typo"})
    with pytest.raises(NotFound, match="got 'typo'"):
        await site.resolve("cato")


async def test_models_come_in_the_order_of_the_configuration() -> None:
    site = Site()
    for name in ("r1", "r2"):
        site.catalog.expect(name)
    site.catalog.learn("r2", ModelFacts("b"))
    site.catalog.learn("r1", ModelFacts("a"))
    assert [facts.name for facts in site.catalog.models()] == ["a", "b"]
    site.catalog.learn("r1", ModelFacts("c"))
    assert [facts.name for facts in site.catalog.models()] == ["c", "b"]


@pytest.mark.parametrize(
    ("first", "second", "largest", "served"),
    [(1000, 9000, 9000, 9000), (9000, 1000, 9000, 9000), (None, 9000, 9000, None),
     (None, None, None, None)],
)  # fmt: skip
async def test_the_context_of_a_model_is_its_largest(
    first: int | None, second: int | None, largest: int | None, served: int | None
) -> None:
    site = Site()
    site.catalog.learn("r1", ModelFacts("a", first), ("sql",))
    site.catalog.learn("r2", ModelFacts("a", second))
    assert site.catalog.facts("a").max_model_len == largest
    assert site.catalog.facts("sql").max_model_len == largest
    assert site.catalog.served_context("a") == served
    assert site.catalog.served_context("sql") == first, "only one of them has the adapter"
    site.catalog.lose("r2")
    assert site.catalog.facts("a").max_model_len == largest
    assert site.catalog.served_context("a") == first
    site.catalog.lose("r1")
    assert site.catalog.served_context("a") is None


async def test_a_model_shares_its_learned_ratio_with_its_adapters() -> None:
    site = Site()
    site.catalog.learn("r1", ModelFacts("a"), ("sql",))
    assert site.catalog.ratio("sql") is site.catalog.ratio("a")
    assert site.catalog.ratio("a") is not site.catalog.ratio("b")


async def test_a_model_goes_before_an_adapter_of_its_name() -> None:
    site = Site()
    site.catalog.learn("r1", ModelFacts("a"), ("sql",))
    site.catalog.learn("r2", ModelFacts("sql"))
    assert site.catalog.facts("sql").parent == ""


async def test_requests_for_an_adapter_go_to_the_replicas_of_its_model() -> None:
    site = Site(tasks={Task.TRANSLATION: "sql"})
    site.catalog.learn("r1", ModelFacts("base"), ("sql",))
    assert site.catalog.model_of("sql", Task.COMPLETION) == "base"
    assert site.catalog.model_of("cato", Task.COMPLETION) == "base"
    assert site.catalog.model_of("cato-translation", Task.TRANSLATION) == "base"
    assert site.catalog.model_of("another", Task.COMPLETION) == "another"
