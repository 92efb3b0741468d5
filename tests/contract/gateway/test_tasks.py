"""`POST /v1/tasks`: a whole task as a stream of named events."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cato_backend.wire import sse
from cato_lab.emulator import Behaviour, Fault, FaultKind
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import TASKS, Answer, Site
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="package")

UNIT = {"name": "add", "kind": "function", "text": "def add(a, b):\n    return a + b\n"}
SUMMARY = {"task": "summarization", "language": "python", "units": [UNIT]}
TRANSLATION = {**SUMMARY, "task": "translation", "target_language": "go"}


def events(answer: Answer) -> list[tuple[str, Any]]:
    """Name and value of each event before [DONE], which must be the last."""
    *found, done = sse.EventReader().feed(answer.body)
    assert done.data == sse.DONE
    return [(event.name, json.loads(event.data)) for event in found]


@pytest.mark.parametrize("task", [SUMMARY, TRANSLATION])
async def test_progress_then_deltas_then_one_result(single: Site, task: dict[str, Any]) -> None:
    await single.fake.change(reply="Adds two numbers")
    answer = await single.post(task, TASKS, x_request_id="task-1")
    assert answer.headers["x-request-id"] == "task-1"
    assert answer.headers["content-type"].startswith("text/event-stream")
    (first, progress), *deltas, (last, result) = events(answer)
    target_ms = 3000 if task is SUMMARY else 15_000
    assert progress.pop("estimate_ms") > 0
    assert (first, progress) == (
        "progress",
        {"state": "running", "done": 0, "total": 1, "target_ms": target_ms},
    )
    assert {name for name, _ in deltas} == {"delta"}
    assert "".join(value["text"] for _, value in deltas) == "Adds two numbers"
    assert last == "result"
    assert result["text"] == "Adds two numbers"
    assert result["units"] == [{"name": "add", "text": "Adds two numbers", "problem": None}]
    assert {value["unit"] for _, value in deltas} == {0}
    assert result["finish_reason"] == "stop"
    assert result["met"] is True
    assert result["elapsed_ms"] > 0


async def test_the_budget_is_the_whole_task_s(single: Site) -> None:
    await single.fake.change(reply="late", ttft_ms=60)
    answer = await single.post({**SUMMARY, "units": [UNIT, UNIT]}, TASKS, x_slo_e2e_ms=40)
    assert events(answer)[-1][1]["met"] is False


async def test_units_are_served_in_order_and_joined(single: Site) -> None:
    await single.fake.change(reply="Does it")
    units = [{**UNIT, "name": name} for name in ("one", "two", "three")]
    found = events(await single.post({**SUMMARY, "units": units}, TASKS))
    progress = [value["done"] for name, value in found if name == "progress"]
    assert progress == [0, 1, 2]
    assert [name for name, _ in found].count("result") == 1
    assert found[-1][1]["text"] == "**one**: Does it\n\n**two**: Does it\n\n**three**: Does it"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"task": "completion"}, "task"),
        ({"task": None}, "task"),
        ({"task": "tests"}, "task"),
        ({"task": "generation"}, "instruction"),
        ({"language": ""}, "language"),
        ({"language": 7}, "language"),
        ({"units": []}, "units"),
        ({"units": [{"text": ""}]}, "units[0].text"),
        ({"units": [7]}, "units[0]"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"task": "translation"}, "target_language"),
        ({"model": "gpt-5"}, "model"),
    ],
)
async def test_a_bad_task_is_refused_by_field(
    single: Site, change: dict[str, Any], field: str
) -> None:
    answer = await single.post({**SUMMARY, **change}, TASKS)
    assert answer.status in (400, 404)
    assert answer.error["param"] == field
    assert single.fake.requests == []


async def test_a_task_that_fails_before_its_beginning_is_a_status(single: Site) -> None:
    await single.fake.change(faults=[Fault(FaultKind.ERROR, status=400)])
    answer = await single.post(SUMMARY, TASKS)
    assert answer.status == 400


async def test_a_task_that_fails_later_is_an_error_event(single: Site) -> None:
    """Attempts and pauses between them outlast the time in which a failure is a status."""
    await single.fake.change(faults=[Fault(FaultKind.ERROR)])
    found = events(await single.post({**SUMMARY, "units": [UNIT, UNIT]}, TASKS))
    assert found[-1][0] == "error"
    assert found[-1][1]["error"]["code"] == "replica_failed"
    assert "result" not in [name for name, _ in found]


async def test_an_estimate_comes_before_the_first_token(single: Site) -> None:
    await single.fake.change(ttft_ms=60_000)
    async with single.opened(SUMMARY, TASKS, x_request_id="task-5", x_slo_e2e_ms=5) as response:
        first = await response.content.readuntil(b"\n\n")
        assert response.headers["x-request-id"] == "task-5"
        assert "x-cato-replica" not in response.headers
        await single.cancel("task-5")
        (_, progress), *_ = events(Answer(200, {}, first + await response.read()))
    assert progress["state"] == "waiting"
    assert progress["estimate_ms"] > progress["target_ms"] == 5


async def test_a_unit_that_fails_is_named_and_the_rest_kept(narrow: Site) -> None:
    """The second unit's call fails, twice."""
    single = narrow
    await single.fake.change(itl_ms=10)
    units = [{**UNIT, "name": name} for name in ("one", "two")]
    task = {**SUMMARY, "units": units, "max_tokens": 20}
    asking = asyncio.create_task(single.post(task, TASKS))
    await single.fake.wait_until(lambda state: len(state.requests) == 1)
    await single.fake.change(faults=[Fault(FaultKind.ERROR)])
    found = events(await asking)
    assert found[-1][0] == "result"
    one, two = found[-1][1]["units"]
    assert (one["problem"], two["problem"]["code"]) == (None, "replica_failed")
    assert found[-1][1]["text"].startswith(f"**one**: {one['text']}\n\n**two**: *the model")


async def test_units_are_served_side_by_side_and_shown_in_order(single: Site) -> None:
    """Three at once: the second one's text waits until the first is done."""
    await single.fake.change(ttft_ms=1000, itl_ms=5, reply="Does it")
    units = [{**UNIT, "name": name} for name in ("one", "two", "three")]
    before = await single.metrics()
    asking = asyncio.create_task(
        single.post({**SUMMARY, "units": units}, TASKS, x_request_id="task-3")
    )
    await single.fake.wait_until(lambda state: state.running == 3)
    found = events(await asking)
    deltas = "".join(value["text"] for name, value in found if name == "delta")
    assert deltas == "Does it" * 3
    after = await single.metrics()
    counted = {
        key: value - before.get(key, 0)
        for key, value in after.items()
        if key[0] in ("cato_requests_total", "cato_workflow_calls_total")
        and value != before.get(key, 0)
    }
    assert counted == {
        ("cato_requests_total", ("met", "summarization")): 1,
        ("cato_workflow_calls_total", ("met", "summarization")): 3,
    }


@pytest.mark.parametrize("several", [1, 3])
async def test_a_name_ends_every_call_of_a_task(single: Site, several: int) -> None:
    await single.fake.change(itl_ms=20)
    task = {**SUMMARY, "units": [UNIT] * several}
    async with single.opened(task, TASKS, x_request_id="task-4") as response:
        await single.fake.wait_until(lambda state: state.running == several)
        assert (await single.cancel("task-4")).status == 200
        await response.read()
    await single.fake.wait_until(lambda state: state.aborted == several)


async def test_calls_of_one_workflow_share_its_budget(single: Site) -> None:
    """The second call comes when the first has taken all: it is late, however quick."""
    await single.fake.change(ttft_ms=400)
    before = await single.metrics()
    for _ in range(2):
        headers = {"x_cato_task": "summarization", "x_slo_e2e_ms": 750}
        await single.post({"prompt": "x"}, x_cato_workflow="flow-1", **headers)
    after = await single.metrics()
    outcomes = [("met", "summarization"), ("late", "summarization")]
    name = "cato_requests_total"
    assert [after[name, o] - before.get((name, o), 0) for o in outcomes] == [1, 1]


async def test_a_file_s_summary_ends_with_what_its_units_do_together(tmp_path: Path) -> None:
    """Map, then reduce, of a model that follows instructions; the last call gets the summaries."""
    async with (
        fake_vllm(Behaviour(model="coder-instruct", reply="Does it")) as fake,
        serving(tmp_path, replicas=(fake.url,)) as serve,
        aiohttp.ClientSession() as http,
    ):
        fake.state.requests.clear()
        units = [{**UNIT, "name": name} for name in ("one", "two", "three")]
        answer = await Site(serve, [fake], http).post({**SUMMARY, "units": units}, TASKS)
        found = events(answer)
    assert [value["done"] for name, value in found if name == "progress"] == [0, 1, 2, 3]
    assert found[-1][1]["text"].endswith("**three**: Does it\n\nDoes it")
    assert "**two**: Does it" in fake.requests[-1].body["messages"][-1]["content"]
    assert len(fake.requests) == 4


async def test_a_task_is_cancelled_by_name(single: Site) -> None:
    await single.fake.change(itl_ms=10)
    async with single.opened(SUMMARY, TASKS, x_request_id="task-2") as response:
        begun = await response.content.readuntil(b"\n\n")
        assert (await single.cancel("task-2")).status == 200
        found = events(Answer(200, {}, begun + await response.read()))
    assert {name for name, _ in found} <= {"progress", "delta"}
    await single.fake.wait_until(lambda state: state.aborted == 1)


async def test_a_task_whose_client_goes_away(single: Site) -> None:
    await single.fake.change(itl_ms=10)
    async with single.opened(TRANSLATION, TASKS) as response:
        await response.content.readuntil(b"\n\n")
        response.close()
        await single.fake.wait_until(lambda state: state.aborted == 1)


async def test_a_task_goes_on_where_its_replica_dies(pair: Site) -> None:
    first, second = pair.fakes
    await first.change(reply="Adds two numbers", faults=[Fault(FaultKind.DIE, after_tokens=4)])
    await second.change(reply=" as a sum")
    found = events(await pair.post(SUMMARY, TASKS))
    deltas = [value["text"] for name, value in found if name == "delta"]
    said = "".join(deltas).removesuffix(" as a sum")
    assert said
    assert second.requests[-1].body["prompt"].endswith(said)
    assert found[-1][0] == "result"
    assert found[-1][1]["text"] == "".join(deltas)
