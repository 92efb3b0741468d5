"""Whole tasks whose model talks on, repeats itself, or says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from cato_lab.emulator import Behaviour
from tests.contract.gateway.serving import serving
from tests.contract.gateway.site import TASKS, Site
from tests.contract.gateway.test_tasks import SUMMARY, TRANSLATION, UNIT, events
from tests.fakes import fake_vllm

pytestmark = pytest.mark.asyncio(loop_scope="module")

CODE = "func add(a, b int) int {\n\treturn a + b\n}"
LOOP = "It returns the sum of the values. " * 40
UNUSABLE = "cato_unusable_answers_total"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    """A model that the configuration says to follow instructions: its name does not."""
    async with fake_vllm(Behaviour(model="coder")) as fake, aiohttp.ClientSession() as http:
        config = f'[[replicas]]\nurl = "{fake.url}"\ninstruct = true\n'
        async with serving(tmp_path_factory.mktemp("instruct"), config=config) as serve:
            await serve.wait_said("coder; fill-in-the-middle")
            assert "instruct model (by the configuration)" in serve.said
            yield Site(serve, [fake], http)


async def test_a_template_that_raises_for_a_system_message_gets_none(tmp_path: Path) -> None:
    """Gemma's is one. What it would have said stands in front of the question."""
    behaviour = Behaviour(model="gemma-it", system_message=False)
    async with fake_vllm(behaviour) as fake, aiohttp.ClientSession() as http:
        config = f'[[replicas]]\nurl = "{fake.url}"\ninstruct = true\n'
        async with serving(tmp_path, config=config) as serve:
            await serve.wait_said("instruct model (by the configuration)")
            await fake.change(reply="It adds two numbers.")
            found = await asked(Site(serve, [fake], http), SUMMARY)
            (message,) = fake.requests[-1].body["messages"]
    assert found[-1][0] == "result", found
    assert message["role"] == "user"
    system, _, question = str(message["content"]).partition("\n\n")
    assert system
    assert UNIT["text"] in question


async def asked(site: Site, body: dict[str, Any]) -> list[tuple[str, Any]]:
    site.fake.state.requests.clear()
    return events(await site.post(body, TASKS))


def joined(found: list[tuple[str, Any]]) -> str:
    return "".join(value["text"] for name, value in found if name == "delta")


async def test_a_translation_is_the_one_code_block(site: Site) -> None:
    """Engine and client are done where the block ends, however long the model would go on."""
    reply = f"Here it is:\n\n```go\n{CODE}\n```\n\nThe same code in C++:\n" + "x y z " * 200
    await site.fake.change(reply=reply, itl_ms=1)
    before = site.fake.state.aborted
    found = await asked(site, TRANSLATION)
    assert joined(found) == CODE
    assert found[-1][1]["text"] == CODE
    assert found[-1][1]["finish_reason"] == "stop"
    await site.fake.wait_until(lambda state: state.aborted == before + 1)
    assert len(site.fake.requests) == 1


@pytest.mark.parametrize(("reply", "problem"), [(LOOP, "repetition"), ("", "empty")])
async def test_an_unusable_answer_is_asked_for_once_more_then_told(
    site: Site, reply: str, problem: str
) -> None:
    await site.fake.change(reply=reply, itl_ms=0)
    before = await site.metrics()
    found = await asked(site, SUMMARY)
    assert found[-1][0] == "error"
    assert found[-1][1]["error"]["code"] == "unusable_answer"
    first, second = (request.body for request in site.fake.requests)
    assert "presence_penalty" not in first
    assert second["presence_penalty"] > 0
    after, key = await site.metrics(), (UNUSABLE, (problem, "summarization"))
    assert after[key] - before.get(key, 0) == 2


async def test_a_better_second_answer_is_the_result(site: Site) -> None:
    await site.fake.change(reply=LOOP, itl_ms=5)
    site.fake.state.requests.clear()
    asking = asyncio.create_task(site.post(SUMMARY, TASKS))
    await site.fake.wait_until(lambda state: len(state.requests) == 1)
    await site.fake.change(reply="Adds two numbers")
    found = events(await asking)
    restart = [name for name, _ in found].index("restart")
    assert found[restart][1] == {"text": ""}
    assert joined(found[restart:]) == found[-1][1]["text"] == "Adds two numbers"
    assert LOOP not in joined(found[:restart])


async def test_a_file_without_any_summary_is_a_failure(site: Site) -> None:
    await site.fake.change(reply="", itl_ms=0)
    units = [{**UNIT, "name": name} for name in ("one", "two")]
    found = await asked(site, {**SUMMARY, "units": units})
    assert found[-1][1]["error"]["code"] == "unusable_answer"


async def test_models_tell_whether_they_follow_instructions(site: Site, tmp_path: Path) -> None:
    async with site.http.get(f"{site.serve.url}/v1/models") as response:
        said = (await response.json())["data"][0]["cato"]
    assert said["follows_instructions"] is True
    assert said["instruct_note"] == "by the configuration"
