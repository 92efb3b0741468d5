"""The page's files, `/v1/overview` and what both tell to whom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cato_backend.gateway.overview_feed import MOST_WATCHERS
from cato_backend.gateway.sign_in import FOLDER
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import COMPLETIONS, DONE, Site, eventually
from tests.fakes import fake_vllm
from tests.secret_files import secret_file

pytestmark = pytest.mark.asyncio(loop_scope="package")

PATH = "/v1/overview"
FILES = sorted(path.name for path in FOLDER.iterdir())
NOBODY = {"authorization": ""}


# -- the page --------------------------------------------------------------------------------------


async def test_a_browser_gets_the_page_without_a_token(narrow: Site) -> None:
    accept = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = await narrow.call("GET", "/", headers=NOBODY | accept)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    for rule in ("default-src 'none'", "script-src 'self'", "connect-src 'self'"):
        assert f"{rule};" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert b"<script>" not in answer.body
    assert b" style=" not in answer.body
    assert (await narrow.call("HEAD", "/", headers=NOBODY | accept)).status == 200


@pytest.mark.parametrize("name", FILES)
async def test_every_file_is_served_with_its_type(narrow: Site, name: str) -> None:
    answer = await narrow.call("GET", f"/page/{name}", headers=NOBODY)
    assert (answer.status, answer.body) == (200, (FOLDER / name).read_bytes())
    assert answer.headers["x-content-type-options"] == "nosniff"
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    assert answer.headers["content-type"].startswith(kinds.get(Path(name).suffix, "text/html"))


@pytest.mark.parametrize(
    "path", ["/page/", "/page/no.js", "/page/..%2fpage.py", "/page/%2e%2e/routes.py", "/page/a/b"]
)
async def test_nothing_else_is_served(narrow: Site, path: str) -> None:
    assert (await narrow.call("GET", path, headers=NOBODY)).status in (401, 404)


async def test_other_clients_are_answered_as_before(narrow: Site, single: Site) -> None:
    for site, headers, status in (
        (narrow, NOBODY, 401),
        (narrow, {}, 404),
        (narrow, NOBODY | {"x-api-key": narrow.token}, 404),
        (single, {}, 404),
        (single, {"accept": "application/json"}, 404),
    ):
        answer = await site.call("GET", "/", headers=headers)
        assert answer.status == status
        assert answer.error


# -- the server's own page on loopback -------------------------------------------------------------


async def test_the_server_s_own_page_may_send_what_others_may_not(single: Site) -> None:
    body = {"prompt": "x", "max_tokens": 1}
    for origin, status in ((single.url, 200), (single.url.replace("http:", "https:"), 403)):
        answer = await single.call("POST", COMPLETIONS, json=body, headers={"origin": origin})
        assert answer.status == status


# -- the overview ----------------------------------------------------------------------------------


async def test_the_overview_needs_a_token(narrow: Site) -> None:
    for query in ("", "?stream=true"):
        answer = await narrow.call("GET", PATH + query, headers=NOBODY)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")


async def test_figures_are_those_of_metrics(single: Site) -> None:
    before = await outcomes(single), await counted(single)
    await single.fake.change(ttft_ms=30)
    for headers in ({}, {}, {"x_slo_ttft_ms": 1}):
        await single.post(
            {"prompt": "x", "stream": True, "max_tokens": 4}, x_cato_task="completion", **headers
        )
    await single.post({"prompt": "x"}, x_cato_task="translation")
    told = minus(await until_counted(single, 4 + sum(before[0].values())), before[0])
    assert told == minus(await counted(single), before[1])
    assert told == {
        ("completion", "met"): 2,
        ("completion", "late"): 1,
        ("translation", "met"): 1,
    }
    seen = (await overview(single))["classes"][0]
    assert seen["task"] == "completion"
    assert seen["latency_ms"]["ttft"]["p50"] >= 30
    assert seen["latency_ms"]["e2e"]["p99"] >= seen["latency_ms"]["ttft"]["p50"]


async def test_it_tells_why_a_request_was_late(single: Site) -> None:
    await single.fake.change(ttft_ms=60)
    await single.post({"prompt": "secret"}, x_cato_task="completion", x_slo_ttft_ms=2)
    late = (await fresh(single))["late"][0]
    assert (late["task"], late["model"], late["replica"]) == (
        "completion", "cato-embedded", "static-1",
    )  # fmt: skip
    assert late["cause"] in ("prediction", "target")
    assert late["why"].endswith("the target is 2 ms")


async def test_it_tells_replicas_models_and_events_and_no_prompt(single: Site) -> None:
    await single.post({"prompt": "secret_function"}, x_request_id="name-of-a-request")
    answer = await single.call("GET", PATH)
    assert answer.headers["cache-control"] == "no-store"
    assert b"secret" not in answer.body
    assert b"name-of-a-request" not in answer.body
    told = answer.json
    (replica,) = told["replicas"]
    (reported,) = (await single.call("GET", "/health")).json["replicas"]
    assert {"state", "law", "reason", "remedy"} <= replica.keys() & reported.keys()
    assert (replica["id"], replica["state"], replica["profile"]) == ("static-1", "up", None)
    assert [model["name"] for model in told["models"]] == ["cato-embedded"]
    assert any("static-1: up" in event["text"] for event in told["events"])
    assert told["status"] == "ok"


async def test_the_queue_is_told_by_class(narrow: Site) -> None:
    await narrow.fake.change(ttft_ms=3000)
    first = asyncio.create_task(narrow.post({"prompt": "x"}, x_request_id="one"))
    await narrow.wait_total("cato_requests_running", 1)
    second = asyncio.create_task(
        narrow.post({"prompt": "x"}, x_request_id="two", x_cato_task="translation")
    )
    await narrow.wait_total("cato_requests_waiting", 1)
    told = {each["task"]: each for each in (await fresh(narrow))["classes"]}
    assert (told["generation"]["running"], told["generation"]["waiting"]) == (1, 0)
    assert (told["translation"]["running"], told["translation"]["waiting"]) == (0, 1)
    assert told["translation"]["longest_wait_ms"] > 0
    for name in ("two", "one"):
        await narrow.cancel(name)
    await asyncio.gather(first, second)


# -- the stream ------------------------------------------------------------------------------------


async def test_the_stream_goes_on_by_itself(single: Site) -> None:
    async with watching(single) as events:
        first = await anext(events)
        second = await anext(events)
        assert second["time"] > first["time"]
        assert second["uptime_s"] > first["uptime_s"]


async def test_a_client_may_ask_for_it_by_its_accept_header(single: Site) -> None:
    accept = {"accept": "text/event-stream"}
    async with single.http.get(single.url + PATH, headers=accept) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (await answer.content.readline()).startswith(b"data: {")


async def test_a_client_with_an_api_key_header_watches_as_long_as_others(narrow: Site) -> None:
    async with watching(narrow, {"x-api-key": narrow.token}) as events:
        first = await anext(events)
        second = await anext(events)
        assert second["time"] > first["time"]


async def test_watchers_are_bounded_and_leave_their_place(single: Site) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        answers = [
            await http.get(f"{single.url}{PATH}?stream=true") for _ in range(MOST_WATCHERS + 1)
        ]
        assert [answer.status for answer in answers] == [200] * MOST_WATCHERS + [429]
        assert int(answers[-1].headers["retry-after"]) >= 1
    await eventually(lambda status: status == 200, lambda: opened(single))


async def opened(site: Site) -> int:
    async with site.http.get(f"{site.url}{PATH}?stream=true") as answer:
        return answer.status


async def test_the_stream_ends_with_the_token_and_with_the_server(tmp_path: Path) -> None:
    file = secret_file(tmp_path / "tokens", "ada\nbob\n")
    async with fake_vllm() as fake, aiohttp.ClientSession() as http:
        arguments = ("--token-file", str(file))
        async with serving(tmp_path, *arguments, replicas=(fake.url,)) as serve:
            site = Site(serve, [fake], http, token="ada")
            async with watching(site) as adas, watching(Site(serve, [fake], http, "bob")) as bobs:
                await anext(adas)
                await anext(bobs)
                file.write_text("bob\n")
                assert [e["error"]["code"] async for e in adas if "error" in e] == [
                    "invalid_api_key"
                ]
                serve.process.terminate()
                assert [e["error"]["code"] async for e in bobs if "error" in e] == ["shutting_down"]
                assert await serve.wait_ended() == 0


@asynccontextmanager
async def watching(
    site: Site, headers: dict[str, str] | None = None
) -> AsyncGenerator[AsyncGenerator[dict[str, Any]]]:
    """The events of a stream up to its end."""

    async def read(answer: aiohttp.ClientResponse) -> AsyncGenerator[dict[str, Any]]:
        async for line in answer.content:
            data = line.decode().removeprefix("data: ").strip()
            if data == DONE:
                return
            if data:
                yield json.loads(data)

    url = f"{site.url}{PATH}?stream=true"
    async with site.http.get(url, headers=headers or site.headers()) as answer:
        assert answer.status == 200
        yield read(answer)


# -- health ----------------------------------------------------------------------------------------


async def test_off_loopback_health_without_a_token_shows_only_the_status(tmp_path: Path) -> None:
    file = secret_file(tmp_path / "token", "the-token\n")
    arguments = ("--host", "0.0.0.0", "--insecure", "--token-file", str(file))
    async with (
        fake_vllm() as fake,
        aiohttp.ClientSession() as http,
        serving(tmp_path, *arguments, replicas=(fake.url,)) as serve,
    ):
        url = serve.url.replace("0.0.0.0", "127.0.0.1") + "/health"
        for headers in ({}, {"authorization": "Bearer wrong"}):
            async with http.get(url, headers=headers) as answer:
                assert (answer.status, await answer.json()) == (200, {"status": "ok"})
        for headers in ({"authorization": "Bearer the-token"}, {"x-api-key": "the-token"}):
            async with http.get(url, headers=headers) as answer:
                told = (await answer.json()).keys()
                details = {"version", "message", "replicas", "sources", "inventory", "gateways"}
                assert told == {"status", *details}


# -- metrics ---------------------------------------------------------------------------------------


async def test_metrics_tell_build_tokens_and_refusals(single: Site) -> None:
    before = await single.metrics()
    await single.post({"prompt": "x", "stream": True, "max_tokens": 3}, x_cato_task="completion")
    await single.post({"prompt": "x", "max_tokens": 5}, x_cato_task="translation")
    await single.post({"prompt": 1})
    await single.call("GET", "/no/such/path")
    after = await single.metrics()
    more = {key: value - before.get(key, 0) for key, value in after.items()}
    assert more["cato_output_tokens_total", ("completion",)] == 3
    assert more["cato_output_tokens_total", ("translation",)] == 5
    assert more["cato_refusals_total", ("invalid_value",)] == 1
    assert more["cato_refusals_total", ("not_found",)] == 1
    names = {name for name, _ in after}
    assert {"cato_build_info", "process_open_fds", "process_resident_memory_bytes"} <= names
    assert [name for name in names if name.endswith("_created")] == []


# -- what is told ----------------------------------------------------------------------------------


async def overview(site: Site) -> dict[str, Any]:
    told: dict[str, Any] = (await site.call("GET", PATH)).json
    return told


async def fresh(site: Site) -> dict[str, Any]:
    """The next one that is made: one is told for a second."""
    began = (await overview(site))["time"]
    found: dict[str, Any] = {}

    async def look() -> str:
        found.update(await overview(site))
        return str(found["time"])

    await eventually(lambda time: time > began, look)
    return found


async def outcomes(site: Site) -> dict[tuple[str, str], int]:
    told = await fresh(site)
    return {
        (each["task"], outcome): count
        for each in told["classes"]
        for outcome, count in each["outcomes"].items()
    }


async def until_counted(site: Site, least: int) -> dict[tuple[str, str], int]:
    """Once so many have ended, as the overview tells."""
    found: dict[tuple[str, str], int] = {}

    async def look() -> int:
        found.update(await outcomes(site))
        return sum(found.values())

    await eventually(lambda total: total >= least, look)
    return found


async def counted(site: Site) -> dict[tuple[str, str], int]:
    """The same of `/metrics`."""
    return {
        (labels[1], labels[0]): int(value)
        for (name, labels), value in (await site.metrics()).items()
        if name == "cato_requests_total"
    }


def minus(
    after: dict[tuple[str, str], int], before: dict[tuple[str, str], int]
) -> dict[tuple[str, str], int]:
    more = {key: count - before.get(key, 0) for key, count in after.items()}
    return {key: count for key, count in more.items() if count}
