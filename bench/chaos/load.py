"""Clients that ask at a steady rate, and what each of them saw."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import aiohttp

from bench.chaos.engines import REPLY, request_body
from cato_backend.wire import sse

GIVES_UP_S = 10.0
_STREAMED = 0.75
"""Share of the requests that stream; the others ask for the whole answer at once."""


class End(StrEnum):
    """How a request ended for its client."""

    WHOLE = "whole"
    """The whole text, and nothing else."""
    TOLD = "told"
    """An error that names itself: a status, or an error event."""
    CUT = "cut"
    """The connection broke, or the answer ended without a word."""
    WRONG = "wrong"
    """An answer that looks whole, with another text."""
    GAVE_UP = "gave up"
    """The client waited for `GIVES_UP_S`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request. Seconds on the loop's clock."""

    began: float
    ended: float
    end: End

    @property
    def took_s(self) -> float:
        """From the request to its end."""
        return self.ended - self.began


async def steady(
    url: str, headers: dict[str, str], rate: float, seconds: float, seed: str
) -> list[Seen]:
    """Poisson arrivals of `rate` a second, whatever becomes of the requests before."""
    chance, loop = random.Random(seed), asyncio.get_running_loop()
    until, asking = loop.time() + seconds, list[asyncio.Task[Seen]]()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as http:
        while loop.time() < until:
            streams = chance.random() < _STREAMED
            asking.append(asyncio.create_task(ask(http, url, stream=streams)))
            await asyncio.sleep(chance.expovariate(rate))
        return await asyncio.gather(*asking)


async def ask(http: aiohttp.ClientSession, url: str, *, stream: bool) -> Seen:
    """One request for the whole reply."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    body = request_body(stream=stream)
    try:
        async with (
            asyncio.timeout(GIVES_UP_S),
            http.post(f"{url}/v1/completions", json=body) as response,
        ):
            end, _ = judge(response.status, await response.read(), stream=stream)
    except TimeoutError:
        end = End.GAVE_UP
    except aiohttp.ClientError:
        end = End.CUT
    return Seen(began, loop.time(), end)


def judge(status: int, data: bytes, *, stream: bool) -> tuple[End, str]:
    """How an answer ended, and the code of the error that it tells."""
    try:
        return _of_stream(data) if stream and status == 200 else _of_body(status, data)
    except (ValueError, KeyError, TypeError):
        return (End.TOLD if status >= 400 else End.WRONG), ""


def _of_body(status: int, data: bytes) -> tuple[End, str]:
    answer = json.loads(data)
    if status != 200 or "error" in answer:
        return End.TOLD, _code(answer)
    return _of_text(answer["choices"][0]["text"])


def _of_stream(data: bytes) -> tuple[End, str]:
    text = ""
    for chunk in _chunks(data):
        if chunk is None:
            return _of_text(text)
        if "error" in chunk or chunk.get("object") == "error":
            return End.TOLD, _code(chunk)
        text += "".join(choice.get("text") or "" for choice in chunk.get("choices", ()))
    return End.CUT, ""


def _of_text(text: str) -> tuple[End, str]:
    return (End.WHOLE if text.strip() == REPLY else End.WRONG), ""


def _code(answer: dict[str, Any]) -> str:
    error = answer.get("error")
    return str(error.get("code", "")) if isinstance(error, dict) else ""


def _chunks(data: bytes) -> Iterator[dict[str, Any] | None]:
    """The chunks of a stream, and None for its last event."""
    for event in sse.EventReader().feed(data):
        if event.name == "error":
            yield {"error": event.data}
        yield None if event.data == sse.DONE else json.loads(event.data)
