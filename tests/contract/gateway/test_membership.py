"""Replicas that come, go, change and differ: who asks is held, follows, or is told by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cato_backend.wire.headers import ALIASES
from cato_lab.emulator import Behaviour, Emulator
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import CHAT, TASKS, Answer, Site, eventually
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="package")

QUICK = """
[health_check]
interval_s = 0.1
models_interval_s = 0.2
initial_backoff_s = 0.1
max_backoff_s = 0.2
"""
SLOW = "[health_check]\ninterval_s = 60\nmodels_interval_s = 60\n"
"""What is noticed, requests have shown."""
PATIENT = {"x_slo_e2e_ms": 20_000}
FINE = {"prompt": "x", "max_tokens": 3}


@asynccontextmanager
async def before(
    folder: Path, *fakes: Emulator, config: str = SLOW, up: bool = True
) -> AsyncGenerator[Site]:
    """A gateway of the test's own."""
    urls = [part for fake in fakes for part in ("--replica", fake.url)]
    async with (
        serving(folder, *urls, config=config) as serve,
        aiohttp.ClientSession() as http,
    ):
        if up:
            await serve.wait_said(": up: ", len(fakes))
        yield Site(serve, list(fakes), http)


@pytest_asyncio.fixture(loop_scope="package")
async def fake() -> AsyncGenerator[Emulator]:
    """A replica for one test."""
    async with fake_vllm(Behaviour(model="a")) as replica:
        yield replica


@pytest_asyncio.fixture(loop_scope="package")
async def other() -> AsyncGenerator[Emulator]:
    """Another one."""
    async with fake_vllm(Behaviour(model="a")) as replica:
        yield replica


async def names(site: Site) -> list[str]:
    """Without the aliases."""
    listing = (await site.call("GET", "/v1/models")).json["data"]
    return [entry["id"] for entry in listing if entry["id"] not in ALIASES]


# -- what the server says of its models ----------------------------------------------------------


@pytest.mark.parametrize(
    "strange", ["null", '{"data": null}', '{"data": []}', "{", '{"data": [{"id": 7}, null]}']
)
async def test_a_strange_list_of_models_once_costs_a_moment(
    tmp_path: Path, fake: Emulator, strange: str
) -> None:
    await fake.change(listings=(strange,))
    async with before(tmp_path, fake, up=False) as site:
        assert (await site.post(FINE, **PATIENT)).status == 200
        assert site.serve.said.count("static-1: down: ") == 1
        await fake.change(listings=(strange,))
        assert (await site.post({**FINE, "model": "other"}, **PATIENT)).status == 404
        assert (await site.post(FINE)).status == 200
        assert site.serve.said.count("static-1: down: ") == 1


async def test_another_model_behind_the_same_url_is_followed_at_once(
    tmp_path: Path, fake: Emulator
) -> None:
    """Nothing was away, and no look is due: the replica's 404 shows it."""
    async with before(tmp_path, fake) as site:
        assert (await site.post(FINE)).status == 200
        await fake.change(model="b")
        assert (await site.post(FINE, **PATIENT)).status == 200
        assert await names(site) == ["b"]
        gone = await site.post({**FINE, "model": "a"})
        assert (gone.status, gone.error["param"]) == (404, "model")
        assert gone.error["message"].endswith(", b")
        assert "it serves 'b' now, no longer 'a'" in site.serve.said


async def test_streams_chats_and_tasks_follow_too(tmp_path: Path, fake: Emulator) -> None:
    async with before(tmp_path, fake) as site:
        for number, (path, body) in enumerate(
            [
                (CHAT, {"messages": [{"role": "user", "content": "x"}], "stream": True}),
                ("/v1/completions", {**FINE, "stream": True, "suffix": "y"}),
                ("/v1/completions", {**FINE, "model": "cato-generation"}),
                (TASKS, {"task": "summarization", "language": "python",
                         "units": [{"name": "f", "kind": "function", "text": "def f(): pass"}]}),
                ("/v1/warm", {"prompt": "x" * 300}),
            ]
        ):  # fmt: skip
            await fake.change(model=f"m{number}", reply="a word")
            answer = await site.post(body, path, **PATIENT)
            assert answer.status == 200, answer.body


async def test_the_new_name_is_known_as_soon_as_it_is_asked_for(
    tmp_path: Path, fake: Emulator
) -> None:
    async with before(tmp_path, fake) as site:
        await fake.change(model="b")
        assert (await site.post({**FINE, "model": "b"}, **PATIENT)).status == 200


async def test_a_request_that_waits_follows_the_alias(tmp_path: Path, fake: Emulator) -> None:
    async with before(tmp_path, fake, config=QUICK) as site:
        await fake.change(listening=False)
        await site.wait_total("cato_replicas_up", 0)
        by_alias = asyncio.create_task(site.post(FINE, **PATIENT))
        by_name = asyncio.create_task(site.post({**FINE, "model": "a"}, **PATIENT))
        await site.wait_total("cato_requests_waiting", 2)
        await fake.change(model="b", listening=True)
        assert (await by_alias).status == 200
        assert (await by_name).status == 404, "what it asked for is not expected any longer"


async def test_a_configured_model_is_expected_and_not_replaced(
    tmp_path: Path, fake: Emulator
) -> None:
    await fake.change(model="b")
    config = f'{QUICK}\n[[replicas]]\nurl = "{fake.url}"\nmodel = "a"\n'
    async with before(tmp_path, config=config, up=False) as site:
        await site.serve.wait_said("static-1: down: ")
        assert "it serves 'b', not 'a'" in site.serve.said
        held = asyncio.create_task(site.post({**FINE, "model": "a"}, **PATIENT))
        await site.wait_total("cato_requests_waiting", 1)
        await fake.change(model="a")
        assert (await held).status == 200


# -- names ---------------------------------------------------------------------------------------


async def test_adapters_are_listed_and_served_under_their_names(
    tmp_path: Path, fake: Emulator
) -> None:
    await fake.change(adapters=("sql", "rust"), aliases=("a-latest",))
    async with before(tmp_path, fake) as site:
        assert await names(site) == ["a", "a-latest", "sql", "rust"]
        listing = (await site.call("GET", "/v1/models")).json["data"]
        entry = listing[-2]
        assert (entry["parent"], entry["max_model_len"]) == ("a", 4096)
        assert (await site.call("GET", "/v1/models/sql")).json["id"] == "sql"
        fake.requests.clear()
        for name in ("sql", "rust", "a-latest", "a", "cato"):
            assert (await site.post({**FINE, "model": name})).status == 200
            chat = {"model": name, "messages": [{"role": "user", "content": "x"}], "stream": True}
            assert (await site.post(chat, CHAT)).text
        assert [request.body["model"] for request in fake.requests] == [
            name for name in ("sql", "rust", "a-latest", "a", "a") for _ in range(2)
        ]


async def test_an_adapter_that_is_loaded_later(tmp_path: Path, fake: Emulator) -> None:
    async with before(tmp_path, fake) as site:
        assert (await site.post({**FINE, "model": "sql"})).status == 404
        await fake.change(adapters=("sql",))

        async def status() -> int:
            return (await site.post({**FINE, "model": "sql"})).status

        await eventually(lambda found: found == 200, status)
        assert await names(site) == ["a", "sql"]
        await fake.change(adapters=())
        assert (await site.post({**FINE, "model": "sql"}, x_slo_e2e_ms=2000)).status == 404
        assert await names(site) == ["a"]


async def test_an_adapter_is_asked_of_replicas_that_have_it(
    tmp_path: Path, fake: Emulator, other: Emulator
) -> None:
    await other.change(adapters=("sql",))
    async with before(tmp_path, fake, other) as site:
        fake.requests.clear()
        answers = await asyncio.gather(
            *(site.post({**FINE, "model": "sql"}, x_cato_session=str(n)) for n in range(6))
        )
        assert [answer.status for answer in answers] == [200] * 6
        assert not fake.requests


async def test_before_any_replica_is_described_every_name_waits(
    tmp_path: Path, fake: Emulator
) -> None:
    await fake.change(listening=False)
    async with before(tmp_path, fake, config=QUICK, up=False) as site:
        asking = [
            asyncio.create_task(site.post({**FINE, "model": name}, **PATIENT))
            for name in ("a", "cato", "other")
        ]
        late = await site.post({**FINE, "model": "a"}, x_slo_ttft_ms=200)
        assert (late.status, late.error["code"]) == (503, "no_replica")
        await fake.change(listening=True)
        assert [(await each).status for each in asking] == [200, 200, 404]


async def test_a_name_that_a_replica_may_come_back_with_waits(
    tmp_path: Path, fake: Emulator, other: Emulator
) -> None:
    async with before(tmp_path, fake, other, config=QUICK) as site:
        await other.change(listening=False)
        await site.wait_total("cato_replicas_up", 1)
        asking = asyncio.create_task(site.post({**FINE, "model": "b"}, **PATIENT))
        late = await site.post({**FINE, "model": "b"}, x_slo_ttft_ms=200)
        assert (late.status, late.error["param"]) == (503, "model")
        assert "'b'" in late.error["message"]
        await other.change(model="b", listening=True)
        assert (await asking).status == 200


# -- absences ------------------------------------------------------------------------------------


async def test_a_replica_that_flaps_loses_no_request(tmp_path: Path, fake: Emulator) -> None:
    """Requests find out that it is away; attempts without a connection are not counted."""
    config = SLOW + "[scheduling]\nmax_attempts = 1\n"
    async with before(tmp_path, fake, config=config) as site:
        for _ in range(7):
            await fake.change(listening=False)
            held = asyncio.create_task(site.post(FINE, **PATIENT))
            await site.wait_total("cato_requests_waiting", 1)
            await fake.change(listening=True)
            assert (await held).status == 200


async def test_a_graceful_end_cuts_no_stream_and_takes_no_request(
    tmp_path: Path, fake: Emulator
) -> None:
    """The old one finishes what it has, as a rolling update wants it."""
    await fake.change(reply="word " * 300, itl_ms=10)
    async with before(tmp_path, fake, config=QUICK) as site:
        body = {**FINE, "max_tokens": 300, "stream": True, "n": 2}
        async with site.opened(body) as response:
            read = await response.content.readline()
            await fake.change(accepting=False)
            await site.wait_total("cato_replicas_up", 0)
            health = (await site.call("GET", "/health")).json
            assert (health["replicas"][0]["state"], health["replicas"][0]["running"]) == ("down", 1)
            held = asyncio.create_task(site.post(FINE, **PATIENT))
            await site.wait_total("cato_requests_waiting", 1)
            read += await response.content.read()
        # It could not be resumed, and need not be.
        assert Answer(200, {}, read).text.count("word") == 300
        await fake.change(accepting=True)
        assert (await held).status == 200


async def test_a_key_that_changes_holds_requests_until_it_fits(
    tmp_path: Path, fake: Emulator
) -> None:
    async with before(tmp_path, fake) as site:
        await fake.change(api_key="new")
        refused = await site.post(FINE, x_slo_ttft_ms=500)
        assert (refused.status, refused.error["code"]) == (503, "no_replica")
        (replica,) = (await site.call("GET", "/health")).json["replicas"]
        assert replica["state"] == "down"
        assert "requires an API key" in replica["reason"]
        assert "`token`" in replica["remedy"]
        held = asyncio.create_task(site.post(FINE, **PATIENT))
        await site.wait_total("cato_requests_waiting", 1)
        await fake.change(api_key="")
        assert (await held).status == 200


# -- replicas that differ ------------------------------------------------------------------------


async def test_a_prompt_goes_where_it_fits(tmp_path: Path, fake: Emulator, other: Emulator) -> None:
    await fake.change(max_model_len=1024)
    await other.change(max_model_len=8192)
    async with before(tmp_path, fake, other) as site:
        listing = (await site.call("GET", "/v1/models")).json["data"]
        assert {entry["max_model_len"] for entry in listing} == {8192}
        fake.requests.clear()
        long: list[dict[str, Any]] = [
            {"prompt": "word " * 2000, "max_tokens": 5},
            {"prompt": "x", "max_tokens": 3000},
            {"prompt": "word " * 700, "suffix": "word " * 700, "max_tokens": 64},
        ]
        for body in long:
            for number in range(3):
                answer = await site.post(body, x_cato_session=str(number))
                assert (answer.status, answer.headers["x-cato-replica"]) == (200, "static-2")
        chat = {"messages": [{"role": "user", "content": "word " * 2000}]}
        assert (await site.post(chat, CHAT)).headers["x-cato-replica"] == "static-2"
        assert not fake.requests
        too_long = await site.post({"prompt": "word " * 20_000})
        assert (too_long.status, too_long.error["code"]) == (400, "context_length_exceeded")


async def test_a_prompt_that_proves_too_long_goes_to_a_larger_context(
    tmp_path: Path, fake: Emulator, other: Emulator
) -> None:
    """It was reckoned to fit: only the engine counts."""
    await fake.change(max_model_len=1024)
    await other.change(max_model_len=8192)
    config = SLOW + '[scheduling]\npolicy = "least-outstanding-tokens"\n'
    async with before(tmp_path, fake, other, config=config) as site:
        fake.requests.clear()
        dense = "{}[]();:" * 200
        answer = await site.post({"prompt": dense, "max_tokens": 5})
        assert (answer.status, answer.headers["x-cato-replica"]) == (200, "static-2")
        assert len(fake.requests) == 1, "the small one was asked first"


async def test_while_the_larger_context_is_away(
    tmp_path: Path, fake: Emulator, other: Emulator
) -> None:
    """An infill is cut to what there is; what cannot be cut is held, and then refused by name."""
    await fake.change(max_model_len=1024)
    await other.change(max_model_len=8192)
    async with before(tmp_path, fake, other, config=QUICK) as site:
        await other.change(listening=False)
        await site.wait_total("cato_replicas_up", 1)
        cut = await site.post({"prompt": "word " * 2000, "suffix": "y", "max_tokens": 5})
        assert (cut.status, cut.headers["x-cato-replica"]) == (200, "static-1")
        long = {"prompt": "word " * 2000, "max_tokens": 5}
        refused = await site.post(long, x_slo_ttft_ms=300)
        assert (refused.status, refused.error["code"]) == (503, "no_replica")
        held = asyncio.create_task(site.post(long, **PATIENT))
        await site.wait_total("cato_requests_waiting", 1)
        await other.change(listening=True)
        assert (await held).headers["x-cato-replica"] == "static-2"
