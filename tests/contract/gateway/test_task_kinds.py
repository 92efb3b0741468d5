"""Whole tasks of a model that follows instructions: every kind, through its chat."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.contract.gateway.site import TASKS, Site
from tests.contract.gateway.test_task_answers import asked, joined, site
from tests.contract.gateway.test_tasks import SUMMARY, TRANSLATION, UNIT

__all__ = ["site"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODE = "def test_add():\n    assert add(1, 2) == 3"
PROSE = "Adds two numbers."


def question_of(site: Site, number: int = -1) -> str:
    return str(site.fake.requests[number].body["messages"][-1]["content"])


@pytest.mark.parametrize(
    ("task", "reply", "text", "words"),
    [
        ("documentation", f'```python\n"""{PROSE}"""\n```', PROSE, "`Args:`"),
        ("explanation", PROSE, PROSE, "Explain the function `add`"),
        ("tests", f"Sure:\n```python\n{CODE}\n```\nDone.", CODE, "pytest"),
        ("fix", f"```python\n{CODE}\n```", CODE, "- line 2: undefined name"),
        ("generation", f"```python\n{CODE}\n```", CODE, "a test of add"),
    ],
)
async def test_every_kind_has_its_question_and_its_answer(
    site: Site, task: str, reply: str, text: str, words: str
) -> None:
    await site.fake.change(reply=reply, itl_ms=0)
    unit = {**UNIT, "diagnostics": [{"line": 2, "message": "undefined name"}]}
    body = {**SUMMARY, "task": task, "units": [unit], "instruction": "a test of add"}
    found = await asked(site, body)
    assert found[-1][0] == "result"
    assert found[-1][1]["text"] == text
    assert words in question_of(site)


@pytest.mark.parametrize(
    ("task", "reply", "problem"),
    [
        ("fix", f"```python\n{CODE}\n```", "cut off at its limit of 8 tokens"),
        ("tests", f"```python\n{CODE}\n```", "cut off at its limit of 8 tokens"),
        ("fix", PROSE, "text instead of a block"),
        ("tests", PROSE, ""),
    ],
)
async def test_code_that_must_not_be_applied_is_named(
    site: Site, task: str, reply: str, problem: str
) -> None:
    await site.fake.change(reply=reply, itl_ms=0)
    found = await asked(site, {**SUMMARY, "task": task, "max_tokens": 8})
    (unit,) = found[-1][1]["units"]
    assert unit["text"]
    assert problem in ((unit["problem"] or {}).get("message") or "")
    assert (unit["problem"] is None) is (not problem)


async def test_a_unit_is_translated_after_what_it_uses_and_told_its_translation(
    site: Site,
) -> None:
    """The file's order is kept, and what both import stands at its top once."""
    await site.fake.change(reply='```go\nimport "fmt"\n\nfunc add() {}\n```', itl_ms=0)
    units: list[dict[str, Any]] = [
        {"name": "main", "text": "def main():\n    add()", "uses": [1]},
        {"name": "add", "text": "def add():\n    pass"},
    ]
    found = await asked(site, {**TRANSLATION, "units": units})
    first, second = (question_of(site, number) for number in (0, 1))
    assert "def add()" in first
    assert "def main()" in second
    assert "It uses these" in second
    assert "func add() {}" in second
    assert found[-1][1]["text"] == 'import "fmt"\n\nfunc add() {}\n\nfunc add() {}'
    assert [unit["name"] for unit in found[-1][1]["units"]] == ["main", "add"]


async def test_a_long_unit_is_summarized_in_parts(site: Site) -> None:
    """5,000 lines, in a model of 4096 tokens: nothing is left out, and the parts are not shown."""
    lines = [f"    value_{number} = {number}" for number in range(5000)]
    unit = {"name": "table", "text": "def table():\n" + "\n".join(lines)}
    await site.fake.change(reply=PROSE, itl_ms=0)
    found = await asked(site, {**SUMMARY, "units": [unit]})
    questions = [question_of(site, number) for number in range(len(site.fake.requests))]
    assert len(questions) > 10
    assert all(sum(f" value_{number} =" in q for q in questions) == 1 for number in (0, 2500, 4999))
    assert PROSE in questions[-1]
    assert joined(found) == PROSE
    assert found[-1][1]["text"] == PROSE


async def test_what_cannot_be_split_is_refused_by_its_field(site: Site) -> None:
    text = "x = [" + "1, " * 20_000 + "]"
    for task in ("translation", "tests", "fix"):
        answer = await site.post({**TRANSLATION, "task": task, "units": [{"text": text}]}, TASKS)
        assert answer.status == 400
        assert answer.error["param"] == "units[0].text"


@pytest.mark.parametrize("task", ["documentation", "tests", "fix"])
async def test_every_call_ends_where_the_client_goes_away(site: Site, task: str) -> None:
    await site.fake.change(itl_ms=20)
    before = site.fake.state.aborted
    async with site.opened({**SUMMARY, "task": task, "units": [UNIT] * 3}, TASKS) as response:
        await site.fake.wait_until(lambda state: state.running == 3)
        response.close()
    await site.fake.wait_until(lambda state: state.aborted == before + 3)


async def test_a_task_between_its_stages_is_cancelled_by_name(site: Site) -> None:
    """The second stage does not begin."""
    await site.fake.change(itl_ms=20)
    site.fake.state.requests.clear()
    before = site.fake.state.aborted
    units = [{**UNIT, "uses": [1]}, UNIT]
    async with site.opened({**TRANSLATION, "units": units}, TASKS, x_request_id="t") as response:
        await site.fake.wait_until(lambda state: state.running == 1)
        assert (await site.cancel("t")).status == 200
        await asyncio.wait_for(response.read(), 10)
    await site.fake.wait_until(lambda state: state.aborted == before + 1)
    assert len(site.fake.requests) == 1


async def test_models_tell_what_they_do_usefully(site: Site) -> None:
    async with site.http.get(f"{site.serve.url}/v1/models") as response:
        said = (await response.json())["data"][0]["cato"]
    assert len(said["whole_tasks"]) == 7
    assert said["whole_tasks_note"] == ""
