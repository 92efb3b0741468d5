"""Which client connections are closed because they are slow."""

from __future__ import annotations

import asyncio

import pytest

from cato_backend.errors import RequestError
from cato_backend.gateway.connections import ConnectionLimits, Connections
from cato_backend.metrics import Metrics

LIMITS = ConnectionLimits(total=9, idle=9, header_s=0.2, send_s=60.0, unread_bytes=1000)


class Client:
    """Remembers how it was ended."""

    is_lingering = False

    def __init__(self) -> None:
        self.unread = 0
        self.refused: list[RequestError] = []
        self.aborted = asyncio.Event()

    def has_sent(self) -> bool:
        return False

    def refuse(self, error: RequestError) -> None:
        self.refused.append(error)

    def cut(self) -> None:
        raise AssertionError("no request is under way")

    def abort(self) -> None:
        self.aborted.set()

    def send(self, connections: Connections) -> None:
        """A part of a head comes."""
        self.unread += 10
        connections.received(self)


class Clock:
    """Stands where it is put, and goes on as real time does."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connections(clock: Clock) -> Connections:
    return Connections(LIMITS, Metrics(), clock)


async def test_a_head_has_its_whole_time_from_its_first_byte_on(
    connections: Connections, clock: Clock
) -> None:
    """A browser opens a connection long before it sends."""
    early, slow = Client(), Client()
    connections.opened(early)
    connections.opened(slow)
    slow.send(connections)
    clock.ahead_s += 0.15
    early.send(connections)
    clock.ahead_s += 0.1
    watching = asyncio.create_task(connections.watch())
    await slow.aborted.wait()
    assert [error.code for error in slow.refused] == ["request_timeout"]
    assert not early.aborted.is_set()
    await early.aborted.wait()
    watching.cancel()


async def test_a_client_that_sends_nothing_is_closed_without_a_word(
    connections: Connections,
) -> None:
    silent = Client()
    connections.opened(silent)
    watching = asyncio.create_task(connections.watch())
    await silent.aborted.wait()
    assert silent.refused == []
    watching.cancel()


async def test_time_in_which_the_process_stood_still_does_not_count(
    connections: Connections, clock: Clock
) -> None:
    client = Client()
    connections.opened(client)
    client.send(connections)
    watching = asyncio.create_task(connections.watch())
    await asyncio.sleep(0)  # It waits for its next look from here on.
    clock.ahead_s += 60.0
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.aborted.wait(), LIMITS.header_s / 2)
    await client.aborted.wait()
    watching.cancel()
