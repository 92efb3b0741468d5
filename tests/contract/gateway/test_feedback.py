"""`/v1/feedback`: what became of an answer, joined to it, without a character of code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.gateway.conftest import ALICE, BOB
from tests.contract.gateway.site import Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

FEEDBACK = "/v1/feedback"


async def exported(site: Site) -> list[dict[str, Any]]:
    answer = await site.call("GET", FEEDBACK)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


async def test_an_event_is_joined_to_its_answer(single: Site) -> None:
    asked = {"prompt": "x", "stream": True}
    await single.post(asked, x_request_id="fed-1", x_cato_task="completion", x_slo_ttft_ms=5000)
    given = {
        "request_id": "fed-1",
        "event": "partially_accepted",
        "shown_chars": 40,
        "accepted_chars": 12,
        "latency_ms": 180.5,
        "language": "python",
    }
    answer = await single.post(given, FEEDBACK)
    assert (answer.status, answer.json) == (202, {"object": "feedback", "joined": True})
    (entry,) = [e for e in await exported(single) if e["request_id"] == "fed-1"]
    assert entry.items() >= given.items()
    assert (entry["task"], entry["outcome"]) == ("completion", "met")
    assert 0 < entry["ttft_ms"] <= entry["e2e_ms"]
    metrics = await single.metrics()
    assert metrics["cato_feedback_total", ("partially_accepted", "completion")] == 1
    assert metrics["cato_feedback_accepted_chars_total", ("completion",)] == 12


async def test_an_answer_that_is_forgotten_is_not_joined(single: Site) -> None:
    answer = await single.post({"request_id": "long-ago", "event": "kept_5min"}, FEEDBACK)
    assert (answer.status, answer.json["joined"]) == (202, False)


async def test_each_token_sees_its_own(narrow: Site) -> None:
    await narrow.post({"prompt": "x"}, x_request_id="fed-2")
    given = {"request_id": "fed-2", "event": "shown"}
    assert (await narrow.post(given, FEEDBACK)).status == 202
    narrow.token = BOB
    try:
        # Nothing tells Bob that it is another's.
        answer = await narrow.post(given, FEEDBACK)
        assert (answer.status, answer.json["joined"]) == (202, False)
        (entry,) = await exported(narrow)
        assert "outcome" not in entry
    finally:
        narrow.token = ALICE
    assert [entry["request_id"] for entry in await exported(narrow)] == ["fed-2"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"request_id": ""}, "request_id"),
        ({"event": "liked"}, "event"),
        ({"code": "def f()"}, "code"),
        ({"text": "def f()"}, "text"),
        ({"accepted_chars": -1}, "accepted_chars"),
        ({"accepted_chars": "def f()"}, "accepted_chars"),
        ({"latency_ms": -1}, "latency_ms"),
        ({"language": "def f(): pass"}, "language"),
    ],
)
async def test_a_bad_field_is_refused_by_name(
    single: Site, change: dict[str, Any], field: str
) -> None:
    given = {"request_id": "fed-3", "event": "shown", **change}
    answer = await single.post(given, FEEDBACK)
    assert answer.status == 400
    assert answer.error["param"] == field
