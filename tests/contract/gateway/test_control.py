"""`/health`, `/metrics` and `/v1/models`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from cato_backend.tasks.fim import FimOrder
from cato_backend.wire.headers import Task
from tests.contract.gateway.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_health_tells_the_replicas(single: Site) -> None:
    answer = await single.call("GET", "/health")
    assert answer.status == 200
    assert answer.json["status"] == "ok"
    (replica,) = answer.json["replicas"]
    assert datetime.fromisoformat(replica.pop("since")) < datetime.now(UTC)
    law = replica.pop("law")
    steps = replica.pop("step_limits")
    assert replica == {
        "id": "static-1",
        "state": "up",
        "model": "cato-embedded",
        "running": 0,
        "reason": "",
        "remedy": "",
        "ejected_for": None,
        "next_trial_s": None,
    }
    assert set(law) == {"token_ms", "prompt_1k_ms", "spread", "windows", "age_s"}
    assert law["token_ms"] > 0
    assert steps["told"] is None, "vLLM does not tell its flags"
    assert set(steps) == {"told", "advised"}
    assert (await single.call("HEAD", "/health")).status == 200


async def test_models_tell_what_a_client_may_know(single: Site) -> None:
    alias, *named, own = (await single.call("GET", "/v1/models")).json["data"]
    assert (alias["id"], own["id"]) == ("cato", "cato-embedded")
    assert [entry["id"] for entry in named] == [f"cato-{task}" for task in Task]
    assert [entry["cato"]["tasks"] for entry in named] == [[task] for task in Task]
    assert {entry["root"] for entry in (alias, *named)} == {"cato-embedded"}
    assert alias["object"] == "model"
    assert alias["max_model_len"] == 4096
    assert set(alias["cato"]["tasks"]) == set(Task)
    assert 0 < alias["cato"]["max_prompt_tokens"] < 4096
    assert alias["cato"]["chars_per_token"] > 0
    assert alias["cato"]["fim_order"] in set(FimOrder)
    for entry in (alias, *named, own):
        assert (await single.call("GET", f"/v1/models/{entry['id']}")).json == entry
    assert (await single.call("GET", "/v1/models/gpt-5")).status == 404


async def test_metrics_count_each_request_by_its_outcome(single: Site) -> None:
    before = await single.metrics()
    await single.fake.change(ttft_ms=30)
    await single.post({"prompt": "x"}, x_cato_task="completion")
    await single.post({"prompt": "x"}, x_cato_task="completion", x_slo_ttft_ms=1)
    await single.post({"prompt": "x"}, x_cato_task="translation")
    await single.fake.change(ttft_ms=5000)
    for name, reason in (("m-1", "enough"), ("m-2", "typed")):
        asking = asyncio.create_task(
            single.post({"prompt": "x", "stream": True}, x_request_id=name)
        )
        await single.wait_total("cato_requests_running", 1)
        await single.cancel(name, reason)
        await asking
    after = await single.metrics()
    counted = {
        labels: value - before.get((name, labels), 0)
        for (name, labels), value in after.items()
        if name == "cato_requests_total" and value != before.get((name, labels), 0)
    }
    assert counted == {
        ("met", "completion"): 1,
        ("late", "completion"): 1,
        ("met", "translation"): 1,
        ("enough", "generation"): 1,
        ("cancelled", "generation"): 1,
    }
    ttft = ("cato_ttft_seconds_count", ("completion",))
    assert after[ttft] - before.get(ttft, 0) == 2
    assert after["cato_replicas_up", ("cato-embedded",)] == 1
    assert after["cato_requests_running", ("static-1",)] == 0


async def test_answers_that_are_compared_count_for_no_class(single: Site) -> None:
    before = await single.metrics()
    body = {"prompt": "x", "n": 3, "temperature": 1.0}
    await single.post(body, x_cato_task="completion", x_cato_compared=1, x_slo_ttft_ms=1)
    after = await single.metrics()
    counted = {
        labels: value - before.get((name, labels), 0)
        for (name, labels), value in after.items()
        if name in ("cato_aims_total", "cato_requests_total", "cato_ttft_seconds_count")
        and value != before.get((name, labels), 0)
    }
    assert counted == {("late", "compared"): 1}


async def test_metrics_tell_time_per_token_and_what_is_usable(single: Site) -> None:
    """A completion is aimed at half a second as a whole; a generation's target holds 40 ms a
    token."""
    before = await single.metrics()
    for itl_ms, tokens in ((1, 4), (150, 5)):
        await single.fake.change(itl_ms=itl_ms)
        body = {"prompt": "x", "stream": True, "max_tokens": tokens}
        await single.post(body, x_cato_task="completion")
        await single.post(body)
    after = await single.metrics()
    counted = {
        labels: value - before.get((name, labels), 0)
        for (name, labels), value in after.items()
        if name in ("cato_aims_total", "cato_requests_total")
        and value != before.get((name, labels), 0)
    }
    assert counted == {
        ("usable", "met", "completion"): 1,
        ("usable", "missed", "completion"): 1,
        ("met", "completion"): 2,
        ("met", "generation"): 1,
        ("late", "generation"): 1,
    }
    tpot = ("cato_tpot_seconds_count", ("generation",))
    assert after[tpot] - before.get(tpot, 0) == 2
