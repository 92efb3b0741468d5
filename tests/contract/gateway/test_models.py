"""Several models behind one gateway: each with its replicas and tasks, scaled by itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from bench.peers.emulators import write_profile
from tests.contract.gateway.serving import cato, refusal
from tests.contract.gateway.site import CHAT, Site, eventually, serving_site

pytestmark = pytest.mark.asyncio(loop_scope="package")

PATIENCE_S = 60.0
"""Replicas start and stop meanwhile."""
BASE, INSTRUCT = "small-base", "large-instruct"
ALIASES = {
    "cato-completion": BASE,
    "cato-generation": INSTRUCT,
    "cato-summarization": INSTRUCT,
    "cato-translation": INSTRUCT,
    "cato-agent": INSTRUCT,
}


def two_models(folder: Path, *, base: str = "", instruct: str = "", more: str = "") -> str:
    """A configuration of two emulated models, each with lines of its own."""
    profile = write_profile(folder / "profile.json", 0.1, start_s=0.1)
    common = f'path = "cato-emulated"\nprofile = "{profile}"\n'
    return (
        '[engine]\nkind = "emulated"\n'
        f'[[models]]\nname = "{BASE}"\ninstruct = false\n{common}{base}\n'
        f'[[models]]\nname = "{INSTRUCT}"\ninstruct = true\n{common}{instruct}\n'
        f"[tasks]\n{''.join(f'{task} = {name!r}{chr(10)}' for task, name in tasks().items())}{more}"
    )


def tasks() -> dict[str, str]:
    """Which class is served by which model."""
    return {alias.removeprefix("cato-"): name for alias, name in ALIASES.items()}


async def up(site: Site) -> dict[str, int]:
    """Replicas of each model that take requests."""
    overview = (await site.call("GET", "/v1/overview")).json
    return {model["name"]: model["replicas_up"] for model in overview["models"]}


async def asked(site: Site, model: str | None, seconds: float = 10, **headers: Any) -> str:
    """The model that answers a request for `model` which has so many seconds."""
    body: dict[str, Any] = {"prompt": "def f(", "max_tokens": 2}
    named = {} if model is None else {"model": model}
    answer = await site.post(body | named, x_slo_ttft_ms=1000 * seconds, **headers)
    assert answer.status == 200, answer.body
    return str(answer.json["model"])


async def test_each_task_is_answered_by_its_model(tmp_path: Path) -> None:
    async with serving_site(tmp_path, replicas=0, config=two_models(tmp_path)) as site:
        await site.serve.wait_said(": up: ", 2)
        assert {alias: await asked(site, alias) for alias in ALIASES} == ALIASES
        assert await asked(site, None, x_cato_task="completion") == BASE
        assert await asked(site, None, x_cato_task="agent") == INSTRUCT
        chat = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 2}
        assert (await site.post(chat, CHAT)).json["model"] == INSTRUCT
        assert await asked(site, INSTRUCT) == INSTRUCT
        listed = (await site.call("GET", "/v1/models")).json["data"]
        assert {"cato", *ALIASES, BASE, INSTRUCT} == {entry["id"] for entry in listed}


async def test_a_model_that_nothing_serves_is_named(tmp_path: Path) -> None:
    async with serving_site(tmp_path, replicas=0, config=two_models(tmp_path)) as site:
        await site.serve.wait_said(": up: ", 2)
        answer = await site.post({"model": "gpt-5", "prompt": "x"})
        assert answer.status == 404
        assert all(word in answer.error["message"] for word in ("'gpt-5'", BASE, INSTRUCT))


async def test_each_model_follows_what_is_asked_of_it(tmp_path: Path) -> None:
    """One is scaled to zero while nothing is asked of it, and comes back for a request."""
    config = two_models(
        tmp_path,
        base="min_replicas = 0\nmax_replicas = 1",
        instruct="min_replicas = 2\nmax_replicas = 3",
        more="[provisioning]\nidle_s = 0.5\ninterval_s = 0.1\n",
    )
    async with serving_site(tmp_path, replicas=0, config=config) as site:
        idle = (0.0, 0, 2)
        await eventually(lambda found: found == idle, lambda: fleet_of(site), PATIENCE_S)
        assert await asked(site, BASE) == BASE
        assert await asked(site, INSTRUCT) == INSTRUCT
        await eventually(lambda found: found == idle, lambda: fleet_of(site), PATIENCE_S)
        assert (await site.metrics())["cato_replicas_wanted", (INSTRUCT,)] == 2


async def test_a_server_whose_models_rest_says_so_and_takes_requests(tmp_path: Path) -> None:
    """An editor that waited for a replica would never ask for the first one."""
    own = "min_replicas = 0\nmax_replicas = 1"
    config = two_models(tmp_path, base=own, instruct=own, more="[provisioning]\ninterval_s = 0.1\n")
    async with serving_site(tmp_path, replicas=0, config=config) as site:
        health = await site.call("GET", "/health")
        assert (health.status, health.json["status"], health.json["replicas"]) == (200, "ok", [])
        assert await asked(site, BASE, seconds=60) == BASE


async def test_a_model_that_cannot_start_leaves_the_others_alone(tmp_path: Path) -> None:
    own = "min_replicas = 0\nmax_replicas = 1"
    broken = own + '\nengine_args = ["--no-such-option"]'
    config = two_models(
        tmp_path, base=own, instruct=broken, more="[provisioning]\ninterval_s = 0.1\n"
    )
    async with serving_site(tmp_path, replicas=0, config=config) as site:
        first = asyncio.create_task(site.post({"model": INSTRUCT, "prompt": "x"}))
        await site.serve.wait_said("fleet: replica-2 died while it loaded")
        assert await asked(site, BASE, seconds=60) == BASE
        first.cancel()


async def fleet_of(site: Site) -> tuple[float, int, int]:
    """Base replicas that are wanted, and how many of each model take requests."""
    found = await up(site)
    wanted = (await site.metrics()).get(("cato_replicas_wanted", (BASE,)), -1.0)
    return wanted, found[BASE], found[INSTRUCT]


async def test_contradictions_are_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "cato.toml"
    file.write_text(two_models(tmp_path, base="min_replicas = 3\nmax_replicas = 2"))
    said = await refusal(tmp_path, "--config", str(file))
    assert "models.0: at least 3 and at most 2 replicas contradict each other" in said


def shared(folder: Path, *, idle_s: float = 600) -> str:
    """Two models that sleep, on one GPU that holds one of them."""
    (folder / "gpus.toml").write_text('[[gpus]]\ngpu = "l4"\n')
    lines = (
        "sleep = true\nmin_replicas = 0\nmax_replicas = 1\n"
        'engine_args = ["--sleep-s", "0.2", "--wake-s", "0.2"]'
    )
    more = (
        f"[provisioning]\ninterval_s = 0.1\nidle_s = {idle_s}\n"
        f'[inventory]\nfile = "{folder / "gpus.toml"}"\n'
    )
    return two_models(folder, base=lines, instruct=lines, more=more)


async def test_models_that_share_a_gpu_take_turns_and_no_request_is_lost(tmp_path: Path) -> None:
    async with serving_site(tmp_path, replicas=0, config=shared(tmp_path)) as site:
        await site.serve.wait_said(": up: ")
        for name in (INSTRUCT, BASE, INSTRUCT):
            assert await asked(site, name, seconds=60) == name
        mixed = [BASE, INSTRUCT] * 4
        answers = await asyncio.gather(*(asked(site, name, seconds=60) for name in mixed))
        assert answers == mixed
        metrics = await site.metrics()
        assert metrics["cato_replica_start_seconds", ("wake", BASE)] >= 0.2
        assert metrics["cato_gpu_memory_bytes", ("0", "l4", "total")] == 24e9
        inventory = (await site.call("GET", "/v1/overview")).json["inventory"]
        assert [gpu["name"] for gpu in inventory["gpus"]] == ["l4"]


async def test_an_idle_model_sleeps_and_wakes_for_a_request(tmp_path: Path) -> None:
    """Each was loaded once, so that it only has to wake. The server takes requests meanwhile."""
    log = tmp_path / "events.jsonl"
    config = shared(tmp_path, idle_s=0.5) + f'[server]\nevent_log = "{log}"\n'
    async with serving_site(tmp_path, replicas=0, config=config) as site:
        await site.serve.wait_said(": asleep: it is woken for a request", times=2)
        health = await site.call("GET", "/health")
        assert health.status == 200
        assert [each["state"] for each in health.json["replicas"]] == ["asleep", "asleep"]
        for name in (BASE, INSTRUCT):
            assert await asked(site, name, seconds=60, x_request_id=name) == name
    told = await cato(tmp_path, "why", BASE, "--event-log", str(log), "--json")
    assert told.status == 0, told.err
    found = json.loads(told.out)["found"]
    assert (found["replicas"], found["asleep"]) == (0, 1)
    replayed = await cato(tmp_path, "replay", str(log))
    assert replayed.status == 0, replayed
