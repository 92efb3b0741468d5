"""Watching a server that somebody else runs."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from cato_backend.errors import EngineError
from cato_backend.replicas.probe import describe, has_chat_template, is_healthy
from cato_backend.replicas.static import StaticLauncher, StaticSpec
from tests.fakes.vllm import FakeVllm, Script


def spec(fake: FakeVllm) -> StaticSpec:
    return StaticSpec("replica-1", fake.url, interval_s=0.01, failures=3)


async def test_up_down_and_up_again(session: aiohttp.ClientSession) -> None:
    async with FakeVllm(Script(model="some-model", max_model_len=1234)) as fake:
        watched = await StaticLauncher(spec(fake), session).launch()
        replica = await watched.wait_ready()
        assert (replica.model, replica.max_model_len) == ("some-model", 1234)
        await fake.change(listening=False)
        assert await watched.wait_dead() == f"{fake.url} did not answer 3 times in a row"
        ready = asyncio.create_task(watched.wait_ready())
        await fake.change(listening=True)
        assert await ready == replica


async def test_unhealthy_counts_as_down(session: aiohttp.ClientSession) -> None:
    async with FakeVllm(Script(healthy=False)) as fake:
        assert not await is_healthy(session, fake.url)
        watched = await StaticLauncher(spec(fake), session).launch()
        await asyncio.wait_for(watched.wait_dead(), 5)


async def test_one_success_forgives(session: aiohttp.ClientSession) -> None:
    async with FakeVllm(Script(healthy=False)) as fake:
        patient = StaticSpec("replica-1", fake.url, interval_s=0.01, failures=1_000_000)
        dead = asyncio.create_task((await StaticLauncher(patient, session).launch()).wait_dead())
        await fake.change(healthy=True)
        done, _ = await asyncio.wait([dead], timeout=0.2)
        dead.cancel()
        assert not done


async def test_a_model_that_is_not_served(session: aiohttp.ClientSession) -> None:
    async with FakeVllm(Script(model="this")) as fake:
        with pytest.raises(EngineError, match=r"serves this, not 'that'"):
            await describe(session, "replica-1", fake.url, model="that")


@pytest.mark.parametrize("template", [True, False])
async def test_chat_template(session: aiohttp.ClientSession, template: bool) -> None:
    async with FakeVllm(Script(chat_template=template)) as fake:
        replica = await describe(session, "replica-1", fake.url)
        assert await has_chat_template(session, replica) is template


async def test_nobody_there(session: aiohttp.ClientSession) -> None:
    with pytest.raises(EngineError, match="cannot be read"):
        await describe(session, "replica-1", "http://127.0.0.1:1")
