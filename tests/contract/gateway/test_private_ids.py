"""A request id belongs to the token that used it: nothing tells another token of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.contract.gateway.conftest import ALICE, BOB
from tests.contract.gateway.site import TASKS, Answer, Site

pytestmark = pytest.mark.asyncio(loop_scope="package")

STREAM = {"prompt": "x", "stream": True, "max_tokens": 30}
UNIT = {"name": "f", "kind": "function", "text": "def f():\n    return 1\n"}
TASK: dict[str, Any] = {"task": "summarization", "language": "python", "units": [UNIT, UNIT]}


def of(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def test_two_tokens_use_the_same_id_at_once(strict: Site) -> None:
    await strict.fake.change(itl_ms=20)
    answers = await asyncio.gather(
        *[strict.post(STREAM, x_request_id="same", **of(token)) for token in (ALICE, BOB)]
    )
    for answer in answers:
        assert answer.status == 200
        assert answer.headers["x-request-id"] == "same"
        assert answer.chunks[-1]["choices"][0]["finish_reason"]
    # What each replica is told of them is not the same, for engines refuse an id in use.
    first, second = (request.headers["X-Request-ID"] for request in strict.fake.requests)
    assert first != second


async def test_nothing_tells_of_an_id_that_another_token_uses(strict: Site) -> None:
    """Bob's answers are the same whether Alice's request is live, over, or never was."""
    await strict.fake.change(itl_ms=20)
    seen = []
    for is_live in (False, True):
        alice = asyncio.create_task(strict.post({**STREAM, "max_tokens": 60}, x_request_id="hers"))
        await strict.fake.wait_until(lambda state: state.running == 1)
        if not is_live:
            await strict.cancel("hers")
            await alice
        seen.append(await looks(strict))
        if is_live:
            assert not alice.done()
            await strict.cancel("hers")
            await alice
    assert seen[0] == seen[1]


async def looks(site: Site) -> list[tuple[int, Any]]:
    """All that Bob can do with the id."""
    cancelled = await site.call("POST", "/v1/requests/hers/cancel", headers=of(BOB))
    told = {"request_id": "hers", "event": "shown"}
    feedback = await site.post(told, "/v1/feedback", **of(BOB))
    asked = await site.post({**STREAM, "max_tokens": 2}, x_request_id="hers", **of(BOB))
    ids = {chunk["id"] for chunk in asked.chunks}
    again = await site.post(told, "/v1/feedback", **of(BOB))
    return [
        (cancelled.status, cancelled.error),
        (feedback.status, None),
        (asked.status, (asked.headers["x-request-id"], ids)),
        (again.status, again.json),
    ]


async def test_one_token_uses_an_id_once_at_a_time(strict: Site) -> None:
    await strict.fake.change(itl_ms=20)
    async with strict.opened(STREAM, x_request_id="mine") as stream:
        refused = await strict.post(STREAM, x_request_id="mine")
        assert refused.status == 400
        assert refused.error["param"] == "x-request-id"
        assert refused.error["message"] == "x-request-id: 'mine' is in use"
        assert Answer(200, {}, await stream.read()).chunks
    assert (await strict.post(STREAM, x_request_id="mine")).status == 200


async def test_whole_tasks_too(strict: Site) -> None:
    await strict.fake.change(itl_ms=100)
    async with strict.opened(TASK, TASKS, x_request_id="task") as alice:
        await alice.content.readuntil(b"\n\n")
        path = "/v1/requests/task/cancel"
        assert (await strict.call("POST", path, headers=of(BOB))).status == 404
        async with strict.opened(TASK, TASKS, x_request_id="task", **of(BOB)) as bob:
            await bob.content.readuntil(b"\n\n")
            assert (await strict.call("POST", path, headers=of(BOB))).status == 200
            assert b"event: result" not in await bob.read()
        await strict.fake.change(itl_ms=0)
        assert (await strict.cancel("task", "enough")).status == 200
        assert (await alice.read()).endswith(b"data: [DONE]\n\n")
