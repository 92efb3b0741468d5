"""A cut answer never looks whole: errors that a replica reports within an answer of status 200."""

from __future__ import annotations

from typing import Any

import pytest

from cato_lab.emulator import ErrorForm, Fault, FaultKind
from tests.contract.gateway.site import CHAT, COMPLETIONS, Site
from tests.contract.gateway.test_failures import (
    MESSAGES,
    USAGE,
    disturbed,
    undisturbed,
    without_times,
)

pytestmark = pytest.mark.asyncio(loop_scope="package")

PATHS = pytest.mark.parametrize("path", [COMPLETIONS, CHAT])
IN_WHOLE_ANSWERS = [
    *(ErrorForm.OPENAI, ErrorForm.BARE, ErrorForm.TEXT, ErrorForm.DETAIL),
    *(ErrorForm.ABORT, ErrorForm.ERROR),
]


def broken_off(form: ErrorForm, after_tokens: int, status: int = 500) -> Fault:
    return Fault(FaultKind.STREAM_ERROR, after_tokens, status, form=form)


@pytest.mark.parametrize("form", ErrorForm)
@PATHS
async def test_a_stream_that_is_cut_goes_on_elsewhere(
    pair: Site, form: ErrorForm, path: str
) -> None:
    body = {"prompt": "x", "messages": MESSAGES, "stream": True, "max_tokens": 12, **USAGE}
    expected = await undisturbed(pair, body, path)
    answer = await disturbed(pair, body, path, broken_off(form, 4))
    assert without_times(answer) == without_times(expected)


@pytest.mark.parametrize(
    ("form", "stream"),
    [(form, True) for form in ErrorForm] + [(form, False) for form in IN_WHOLE_ANSWERS],
)
@PATHS
async def test_before_the_first_token_another_replica_answers(
    pair: Site, form: ErrorForm, stream: bool, path: str
) -> None:
    body = {"prompt": "x", "messages": MESSAGES, "stream": stream, "max_tokens": 5}
    expected = await undisturbed(pair, body, path)
    answer = await disturbed(pair, body, path, broken_off(form, 0))
    assert answer.status == 200
    assert without_times(answer) == without_times(expected)


@pytest.mark.parametrize("form", IN_WHOLE_ANSWERS)
@PATHS
async def test_a_part_of_a_whole_answer_is_none(pair: Site, form: ErrorForm, path: str) -> None:
    body = {"prompt": "x", "messages": MESSAGES, "stream": False, "max_tokens": 12}
    expected = await undisturbed(pair, body, path)
    answer = await disturbed(pair, body, path, broken_off(form, 4))
    assert without_times(answer) == without_times(expected)


@pytest.mark.parametrize("form", ErrorForm)
@pytest.mark.parametrize("options", [{"n": 2}, {"seed": 1}])
async def test_a_cut_stream_that_cannot_go_on_ends_with_an_error_and_counts_as_one(
    pair: Site, form: ErrorForm, options: dict[str, Any]
) -> None:
    await pair.fakes[0].change(faults=[broken_off(form, 4)])
    before = await outcomes(pair)
    answer = await pair.post({"prompt": "x", "stream": True, "max_tokens": 12, **options})
    *_, last = answer.chunks  # [DONE] follows it.
    assert last["error"]["code"] == "replica_failed"
    assert await outcomes(pair) == before | {"replica_failed": before["replica_failed"] + 1}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("form", [ErrorForm.OPENAI, ErrorForm.BARE])
async def test_a_client_s_own_mistake_is_told_to_it(
    pair: Site, form: ErrorForm, stream: bool
) -> None:
    """Servers that have sent their headers can tell of it only in the stream."""
    for fake in pair.fakes:
        await fake.change(faults=[broken_off(form, 0, status=400)])
    before = await pair.total("cato_retries_total")
    answer = await pair.post({"prompt": "x", "stream": stream})
    assert answer.status == 400
    assert answer.error["type"] == "invalid_request_error"
    assert "EngineCore" in answer.error["message"]
    assert sum(len(fake.requests) for fake in pair.fakes) == 1
    assert await pair.total("cato_retries_total") == before


async def outcomes(site: Site) -> dict[str, float]:
    """How often requests ended in each way, whatever their task."""
    counted: dict[str, float] = {"replica_failed": 0.0}
    for (name, labels), value in (await site.metrics()).items():
        if name == "cato_requests_total":
            counted[labels[0]] = counted.get(labels[0], 0.0) + value
    return counted
