"""Cancelling, at each place where a request can be, proved by the engine's own counters.

Then deaths, the milder first: the backend is not the same after each.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from tests.e2e.real import RealBackend
from tests.fast.replicas.processes import Deaths

pytestmark = pytest.mark.timeout(600)

LONG: dict[str, Any] = {
    "model": "cato",
    "prompt": "def add(a, b):\n    return",
    "temperature": 0,
    "ignore_eos": True,
    "max_tokens": 1800,
    "stream": True,
    "stream_options": {"include_usage": True},
}
PATIENT = {"x-slo-e2e-ms": "600000", "x-cato-task": "generation"}
POLL_S = 0.02
WAIT_S = 20


@dataclass
class Stream:
    """A streamed completion under way."""

    response: aiohttp.ClientResponse
    chunks: list[dict[str, Any]] = field(default_factory=list)
    done: bool = False

    async def read(self, chunks: int | None = None) -> None:
        """Reads so many more events, or all."""
        while chunks != 0 and (line := await self.response.content.readline()):
            if not line.startswith(b"data: "):
                continue
            if line.strip() == b"data: [DONE]":
                self.done = True
                return
            self.chunks.append(json.loads(line[6:]))
            chunks = None if chunks is None else chunks - 1

    @property
    def text(self) -> str:
        return "".join(c["choices"][0]["text"] for c in self.chunks if c["choices"])


class Person:
    """Asks the gateway for long completions."""

    def __init__(self, backend: RealBackend, session: aiohttp.ClientSession) -> None:
        self.backend = backend
        self.session = session

    def ask(self, **changes: Any) -> asyncio.Task[Stream]:
        """A request on its way; the task ends with its first token."""
        return asyncio.create_task(self._ask({**LONG, **changes}))

    async def _ask(self, body: dict[str, Any]) -> Stream:
        response = await self.session.post(
            f"{self.backend.url}/v1/completions", json=body, headers=PATIENT
        )
        assert response.status == 200, await response.text()
        return Stream(response)

    async def wait_engine(self, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """The engine's counters, once they are so."""
        return await _eventually(self.backend.engine_metrics, holds)

    async def wait_gateway(self, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """The gateway's counters, once they are so."""
        return await _eventually(self.backend.metrics, holds)


async def _eventually(
    read: Callable[[], dict[str, float]], holds: Callable[[dict[str, float]], bool]
) -> dict[str, float]:
    """Counters of another process can only be asked again and again."""
    for _ in range(round(WAIT_S / POLL_S)):
        if holds(found := await asyncio.to_thread(read)):
            return found
        await asyncio.sleep(POLL_S)
    raise AssertionError(f"not within {WAIT_S} s: {found}")


def running(metrics: dict[str, float]) -> float:
    return metrics["vllm:num_requests_running"]


def waiting(metrics: dict[str, float]) -> float:
    return metrics["vllm:num_requests_waiting"]


def queued(metrics: dict[str, float]) -> float:
    return metrics.get('cato_requests_waiting{model="cato-embedded"}', 0)


def idle(metrics: dict[str, float]) -> bool:
    return running(metrics) == waiting(metrics) == 0


@pytest.fixture
async def person(crowded_backend: RealBackend) -> AsyncIterator[Person]:
    """Somebody who leaves the engine as idle as it was."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield Person(crowded_backend, session)
    if crowded_backend.process.poll() is None:
        await _eventually(crowded_backend.engine_metrics, idle)


async def test_closed_in_mid_stream(person: Person) -> None:
    stream = await person.ask()
    await stream.read(10)
    stream.response.close()
    stopped = await person.wait_engine(idle)
    # Far from the 1800 tokens that were asked for, and no further one.
    assert stopped["vllm:generation_tokens_total"] < 1500
    await asyncio.sleep(0.3)
    later = await asyncio.to_thread(person.backend.engine_metrics)
    assert later["vllm:generation_tokens_total"] == stopped["vllm:generation_tokens_total"]


async def test_cancelled_in_mid_stream_keeps_the_connection(person: Person) -> None:
    stream = await person.ask()
    await stream.read(10)
    request_id = stream.response.headers["x-request-id"]
    url = f"{person.backend.url}/v1/requests/{request_id}/cancel"
    async with person.session.post(url, json={"reason": "enough"}) as answer:
        assert answer.status == 200
    await stream.read()
    assert stream.done
    assert len(stream.chunks) < 1500
    await person.wait_engine(idle)


async def test_closed_before_the_first_token(person: Person) -> None:
    first = await person.ask()
    second = person.ask()
    await person.wait_engine(lambda m: waiting(m) == 1)
    second.cancel()
    left = await person.wait_engine(lambda m: waiting(m) == 0)
    # The first one still runs: it was not by its end that nothing waits any more.
    assert running(left) == 1
    first.response.close()


async def test_closed_while_queued(person: Person) -> None:
    first = await person.ask()
    second = person.ask()
    await person.wait_engine(lambda m: waiting(m) == 1)
    third = person.ask()
    await person.wait_gateway(lambda m: queued(m) == 1)
    third.cancel()
    await person.wait_gateway(lambda m: queued(m) == 0)
    seen = await asyncio.to_thread(person.backend.engine_metrics)
    assert (running(seen), waiting(seen)) == (1, 1)
    second.cancel()
    first.response.close()


async def test_a_request_outlives_its_replica(person: Person) -> None:
    """SIGKILL in mid-stream: the replica comes back, and the stream goes on where it was."""
    undisturbed = await person.ask(max_tokens=40)
    await undisturbed.read()
    dead = person.backend.engine_pid()
    stream = await person.ask()
    await stream.read(20)
    os.kill(dead, signal.SIGKILL)
    await stream.read()
    assert stream.done
    assert stream.chunks[-1]["usage"]["completion_tokens"] == LONG["max_tokens"]
    assert [c["choices"][0]["finish_reason"] for c in stream.chunks if c["choices"]][-1] == "length"
    assert stream.text.startswith(undisturbed.text[:40])
    # The last tokens came from another process: the kill was not too late to disturb anything.
    assert (await asyncio.to_thread(person.backend.metrics))["cato_retries_total"] >= 1
    assert person.backend.engine_pid() != dead


async def test_nothing_outlives_a_killed_backend(person: Person) -> None:
    """SIGKILL of `cato serve`, with a stream under way."""
    stream = await person.ask()
    await stream.read(5)
    below = person.backend.descendants()
    assert len(below) >= 4  # warden, API server, engine core, worker
    deaths = Deaths.of(below)
    person.backend.process.kill()
    person.backend.process.wait()
    assert await asyncio.to_thread(deaths.all_within, 10)
