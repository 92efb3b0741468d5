"""A reply's way to the client, with a connection and an outlet that do as they are told."""

from __future__ import annotations

from typing import cast

import pytest

from cato_backend.http1.connections import Take
from cato_backend.http1.upstreams import Reply
from cato_backend.runtime.answer import Relayed
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.runtime.relay import relay_stream
from tests.fast.runtime.test_bodies import PROMPT, call

TOKEN = b'data: {"choices": [{"index": 0, "text": "a"}]}\n\n'
FINISH = b'data: {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}\n\n'
END = b"data: [DONE]\n\n"


class Bytes:
    """A reply whose body is these reads, the last of which completes it."""

    silence_s = 5.0
    content_type = "text/event-stream"

    def __init__(self, *reads: bytes) -> None:
        self._reads = list(reads)

    async def pour(self, take: Take, limit_s: float | None = None) -> bool:
        while self._reads and take(self._reads.pop(0)):
            pass
        return bool(self._reads)


class Client:
    """An outlet that fails at its `fails`-th piece."""

    def __init__(self, fails: int = 0) -> None:
        self.got = b""
        self._fails = fails

    def take(self, relayed: Relayed) -> bool:
        self._fails -= 1
        if not self._fails:
            raise KeyError("a mistake of ours")
        self.got += relayed.data
        return True

    async def settle(self) -> None:
        raise AssertionError("everything was taken at once")


async def relayed(client: Client, *reads: bytes) -> bytes:
    flight = InFlightRequest(call({**PROMPT, "stream": True}))
    await relay_stream(flight, cast("Reply", Bytes(*reads)), client)
    return client.got


async def test_a_stream_passes_as_it_came() -> None:
    stream = (TOKEN, TOKEN + TOKEN, FINISH, END)
    assert await relayed(Client(), *stream) == b"".join(stream)


@pytest.mark.parametrize("fails", [1, 3])
async def test_a_mistake_of_ours_is_heard_even_at_the_last_bytes(fails: int) -> None:
    with pytest.raises(KeyError, match="a mistake of ours"):
        await relayed(Client(fails), TOKEN, TOKEN, TOKEN + FINISH + END)
