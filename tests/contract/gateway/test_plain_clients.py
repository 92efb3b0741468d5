"""Clients that know nothing of CATO: the class of what they ask, whose turn it is, and what a newer
request of theirs replaces."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cato_backend.wire.headers import ALIASES
from tests.contract.gateway.conftest import BOB
from tests.contract.gateway.site import (
    CHAT,
    COMPLETIONS,
    DONE,
    TASKS,
    Answer,
    Site,
    eventually,
    serving_site,
)
from tests.data.clients import ClientRequest, client_requests

pytestmark = pytest.mark.asyncio(loop_scope="package")

FILE = '"""Reads readings of sensors."""\n\nimport json\n\n\ndef load(path):\n    return '
AFTER = '\n\n\nif __name__ == "__main__":\n    load("readings.json")\n'
AGENT = {"messages": [{"role": "user", "content": "Go on."}], "max_tokens": 4, "tools": [
    {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
]}  # fmt: skip


def typed(text: str, **body: Any) -> dict[str, Any]:
    """A completion as a plain client asks for it."""
    return {"prompt": FILE + text, "suffix": AFTER, "max_tokens": 2000, **body}


def infill(text: str) -> dict[str, Any]:
    prompt = f"<|fim_prefix|>{FILE}{text}<|fim_suffix|>{AFTER}<|fim_middle|>"
    return {"prompt": prompt, "max_tokens": 2000}


PATIENT = {"x_slo_ttft_ms": 20_000}
"""Long enough for a queue whose replica is told to answer late."""


async def running(site: Site) -> None:
    await site.fake.wait_until(lambda state: state.running == 1)


async def held(site: Site, count: int) -> None:
    """Returns once the gateway holds so many requests, queued or running as its policy likes."""

    async def held_now() -> float:
        totals = ("cato_requests_waiting", "cato_requests_running")
        return sum([await site.total(name) for name in totals])

    await eventually(lambda found: found == count, held_now)


# -- classes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", client_requests(), ids=lambda request: request.name)
async def test_what_editors_and_agents_send(single: Site, request_: ClientRequest) -> None:
    await single.fake.change(max_model_len=32_768)
    headers = {name.replace("-", "_"): value for name, value in request_.headers.items()}
    answer = await single.post(request_.body | {"max_tokens": 4}, request_.path, **headers)
    assert answer.status == 200, answer.body
    assert answer.headers["x-cato-task"] == request_.task


async def test_a_header_counts_before_the_alias_and_the_alias_before_the_shape(
    single: Site,
) -> None:
    infilled = {"prompt": "a", "suffix": "b"}
    cases: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        (infilled, {}, "completion"),
        ({**infilled, "model": "cato-embedded"}, {}, "completion"),
        ({**infilled, "model": "cato-translation"}, {}, "translation"),
        ({**infilled, "model": "cato-agent"}, {"x_cato_task": "generation"}, "generation"),
    ]
    for body, headers, task in cases:
        answer = await single.post(body, **headers)
        assert answer.headers["x-cato-task"] == task
        assert answer.json["model"] == "cato-embedded"


@pytest.mark.parametrize("alias", ALIASES)
async def test_every_alias_is_served_wherever_cato_is(single: Site, alias: str) -> None:
    messages = [{"role": "user", "content": "x"}]
    unit = {"name": "f", "kind": "function", "text": "def f(): pass\n"}
    task = {"task": "summarization", "language": "python", "units": [unit]}
    answers = [
        await single.post({"model": alias, "prompt": "x"}),
        await single.post({"model": alias, "messages": messages, "max_tokens": 4}, CHAT),
        await single.post({"model": alias, **task}, TASKS),
        await single.post({"model": alias, "prompt": "x"}, "/v1/warm", x_cato_session=alias),
    ]
    assert [answer.status for answer in answers] == [200] * 4
    named = alias.removeprefix("cato-") if alias in ALIASES[1:] else "generation"
    tasks = [answer.headers.get("x-cato-task") for answer in answers]
    assert tasks == [named, named, "summarization", None]


async def test_an_agent_s_turn_has_the_agents_target(single: Site) -> None:
    before = await single.metrics()
    await single.fake.change(ttft_ms=30)
    for headers in ({}, {"x_slo_e2e_ms": 5}):
        answer = await single.post(AGENT, CHAT, x_claude_code_session_id="c", **headers)
        assert answer.headers["x-cato-task"] == "agent"
    after = await single.metrics()
    counted = {
        labels: value - before.get((name, labels), 0)
        for (name, labels), value in after.items()
        if name == "cato_requests_total" and value != before.get((name, labels), 0)
    }
    assert counted == {("met", "agent"): 1, ("late", "agent"): 1}


async def test_others_headers_that_cannot_be_used_are_ignored(single: Site) -> None:
    headers = {
        "x_llm_d_slo_ttft_ms": "soon", "x_dynamo_slo_ttft_ms": "-1", "x_llm_d_slo_tpot_ms": "nan",
        "x_claude_code_session_id": "two words", "session_id": "s" * 500, "x_session_affinity": "",
    }  # fmt: skip
    assert (await single.post({"prompt": "x"}, **headers)).status == 200


@pytest.mark.parametrize("header", ["x_llm_d_slo_ttft_ms", "x_dynamo_slo_ttft_ms"])
async def test_a_target_by_another_s_name(single: Site, header: str) -> None:
    before = await single.metrics()
    await single.fake.change(ttft_ms=30)
    await single.post({"prompt": "x"}, **{header: 1})
    late = ("cato_requests_total", ("late", "generation"))
    assert (await single.metrics())[late] - before.get(late, 0) == 1


@pytest.mark.parametrize("path", [COMPLETIONS, CHAT, TASKS, "/v1/warm"])
async def test_a_bad_estimate_is_refused_by_name(single: Site, path: str) -> None:
    answer = await single.post({"prompt": "x"}, path, x_cato_output_tokens="many")
    assert answer.status == 400
    assert answer.error["param"] == "x-cato-output-tokens"
    assert single.fake.requests == []


async def test_a_bad_estimate_of_a_unit_is_refused_by_name(single: Site) -> None:
    unit = {"name": "f", "kind": "function", "text": "def f(): pass\n", "output_tokens": 0}
    body = {"task": "summarization", "language": "python", "units": [unit]}
    answer = await single.post(body, TASKS)
    assert (answer.status, answer.error["param"]) == (400, "units[0].output_tokens")


async def test_sessions_of_agents_have_queues_of_their_own(narrow: Site) -> None:
    """Two wait in each session at most; the token's own are four."""
    await narrow.fake.change(ttft_ms=60_000)
    asking = [asyncio.create_task(narrow.post(AGENT, CHAT, x_session_affinity="one"))]
    await running(narrow)
    for waiting, session in enumerate(("one", "one", "two"), start=1):
        asking.append(asyncio.create_task(narrow.post(AGENT, CHAT, x_session_affinity=session)))
        await narrow.wait_total("cato_requests_waiting", waiting)
    refused = await narrow.post(AGENT, CHAT, x_session_affinity="one")
    assert refused.status == 429
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


# -- supersession --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [typed, infill])
@pytest.mark.parametrize(("older", "newer"), [("js", "jso"), ("js", "j"), ("js", "json.load(")])
async def test_a_running_completion_is_replaced_by_the_next_key(
    single: Site, form: Any, older: str, newer: str
) -> None:
    await single.fake.change(ttft_ms=60_000)
    first = asyncio.create_task(single.post(form(older), **PATIENT))
    await running(single)
    await single.fake.change(ttft_ms=0)
    second = await single.post(form(newer) | {"max_tokens": 3}, **PATIENT)
    refused = await first
    assert (refused.status, refused.error["code"]) == (409, "superseded")
    assert second.status == 200
    await single.fake.wait_until(lambda state: state.aborted == 1 and state.running == 0)


async def test_a_completion_in_mid_stream_is_replaced(single: Site) -> None:
    await single.fake.change(itl_ms=5)
    async with single.opened(typed("j", stream=True), **PATIENT) as response:
        begun = await response.content.readuntil(b"\n\n")
        second = await single.post(typed("js", max_tokens=2, stream=True), **PATIENT)
        first = Answer(200, {}, begun + await response.read())
    assert first.chunks[-1]["error"]["code"] == "superseded"
    assert second.events[-1] == DONE


async def test_a_queued_completion_is_replaced(narrow: Site) -> None:
    await narrow.fake.change(ttft_ms=60_000)
    occupant = asyncio.create_task(narrow.post({"prompt": "x"}))
    await running(narrow)
    first = asyncio.create_task(narrow.post(typed("j"), **PATIENT))
    await narrow.wait_total("cato_requests_waiting", 1)
    second = asyncio.create_task(narrow.post(typed("js"), **PATIENT))
    assert (await first).error["code"] == "superseded"
    assert await narrow.total("cato_requests_waiting") == 1
    for task in (occupant, second):
        task.cancel()
    await asyncio.gather(occupant, second, return_exceptions=True)


UNRELATED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("the same prompt again", typed("j"), {}),
    ("another file", typed("js") | {"prompt": FILE.replace("load", "save") + "js"}, {}),
    ("another suffix", typed("js", suffix="\n"), {}),
    ("a whole line more", typed("json.loads(path.read_text())\n"), {}),
    ("several answers", typed("js", n=2), {}),
    ("a best one of several", typed("js", best_of=2), {}),
    ("a batch", typed("js") | {"prompt": [FILE + "js"], "suffix": None}, {}),
    ("another token", typed("js"), {"authorization": f"Bearer {BOB}"}),
    ("another session", typed("js"), {"x_session_affinity": "other"}),
    ("another program", typed("js"), {"user_agent": "other/1.0"}),
    ("another address behind a proxy", typed("js"), {"x_forwarded_for": "10.0.0.7"}),
    ("a named session", typed("js"), {"x_cato_session": "s"}),
    ("a named document", typed("js"), {"x_cato_document": "d"}),
    ("one that does not supersede", typed("js"), {"x_cato_supersede": 0}),
    ("a named class", typed("js"), {"x_cato_task": "completion"}),
    ("a class by its alias", typed("js", model="cato-completion"), {}),
]


@pytest.mark.parametrize(
    ("body", "headers"), [case[1:] for case in UNRELATED], ids=[case[0] for case in UNRELATED]
)
async def test_what_a_newer_completion_leaves_alone(
    narrow: Site, body: dict[str, Any], headers: dict[str, Any]
) -> None:
    await narrow.fake.change(ttft_ms=60_000)
    first = asyncio.create_task(narrow.post(typed("j"), **PATIENT))
    await running(narrow)
    second = asyncio.create_task(narrow.post(body, **PATIENT, **headers))
    await narrow.wait_total("cato_requests_waiting", 1)
    assert not first.done()
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_a_harness_that_samples_one_prompt_gets_every_answer(single: Site) -> None:
    await single.fake.change(ttft_ms=20)
    body = typed("j", max_tokens=4, temperature=0.8)
    answers = await asyncio.gather(*(single.post(body, **PATIENT) for _ in range(12)))
    assert [answer.status for answer in answers] == [200] * 12


async def test_two_people_behind_one_token_replace_only_their_own(single: Site) -> None:
    await single.fake.change(ttft_ms=60_000)
    files = [FILE, FILE.replace("sensors", "meters")]
    bodies = [typed("") | {"prompt": file} for file in files]
    first = [asyncio.create_task(single.post(body, **PATIENT)) for body in bodies]
    await held(single, 2)
    body = typed("") | {"prompt": files[1] + "j"}
    second = asyncio.create_task(single.post(body, **PATIENT))
    assert (await first[1]).status == 409
    assert not first[0].done()
    for task in (first[0], second):
        task.cancel()
    await asyncio.gather(first[0], second, return_exceptions=True)


# -- what the scheduler is told ------------------------------------------------------------------


async def test_the_scheduler_is_told_classes_sessions_and_lengths(tmp_path: Path) -> None:
    """In the order of the requests; a task of two units is two."""
    unit = {"name": "f", "kind": "function", "text": "x = 1\n" * 10}
    task = {
        "task": "translation",
        "language": "python",
        "target_language": "java",
        "units": [unit, {**unit, "output_tokens": 33}],
    }
    log = tmp_path / "events.jsonl"
    async with serving_site(tmp_path, "--event-log", str(log)) as site:
        await site.post({"prompt": "x"}, x_cato_output_tokens=433)
        await site.post(typed("j", max_tokens=1))
        await site.post(AGENT, CHAT, session_id="codex")
        await site.post(task, TASKS)
    told = [
        json.loads(line)["told"]["request"]
        for line in log.read_text().splitlines()
        if '"event":"Submitted"' in line
    ]
    assert [request["task"] for request in told] == [
        "generation", "completion", "agent", "translation", "translation",
    ]  # fmt: skip
    assert [request["expected_tokens"] for request in told[:3]] == [433, None, None]
    assert sorted(request["expected_tokens"] for request in told[3:]) == [33, 43]
    assert [bool(request["origin"]["session"]) for request in told] == [
        False, False, True, False, False,
    ]  # fmt: skip
    assert [bool(request["origin"]["document"]) for request in told] == [
        False, True, False, False, False,
    ]  # fmt: skip


async def test_plain_supersession_can_be_switched_off(tmp_path: Path) -> None:
    config = "[scheduling]\nsupersede_plain = false\n"
    async with serving_site(tmp_path, config=config) as site:
        await site.fake.change(ttft_ms=60_000)
        asking = [asyncio.create_task(site.post(typed(text), **PATIENT)) for text in ("j", "js")]
        await held(site, 2)
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
