"""Times engine steps from outside, by the tokens of streams that decode.

Between two tokens of a stream lies one step. While `batch` streams decode, that is a step of
decoding; when a prompt is sent among them, the step that ends with its first token has held its
chunk. So the time of a step is read without what surrounds the engine. A token may reach us late
and together with the next one, so that single gaps lie: readings span several steps.
"""

from __future__ import annotations

import asyncio
import keyword
import random
import statistics
import string
from bisect import bisect_left
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from cato_backend.errors import EngineError
from cato_backend.profiling.cells import Cell, CellSetup, Chunk
from cato_backend.profiling.stream import ReplicaClient, ServerUnreachable, StreamEnded, TokenStream
from cato_backend.replicas.features import token_ids
from cato_backend.replicas.replica import Replica

_SAMPLE = " ".join([*keyword.kwlist, *keyword.softkwlist, *string.printable.strip()])
_MOST_STARTS = 5
_SETTLE = 4
"""Steps before a measurement begins, after anything has changed."""
_BESIDE = 1
"""Steps of plain decoding on each side of one with a chunk that are timed with it."""


class Prompts:
    """Draws prompts from a set of token ids."""

    def __init__(self, ids: list[int], seed: int) -> None:
        self._ids = ids
        self._rng = random.Random(seed)

    def fresh(self, tokens: int) -> list[int]:
        """Return a new prompt of this many tokens that shares no block with any other."""
        return self._rng.choices(self._ids, k=tokens)


async def prompts_for(session: aiohttp.ClientSession, replica: Replica, seed: int) -> Prompts:
    """Return prompts of the replica's own tokens. Raises EngineError where it cannot tell them."""
    found = await token_ids(session, replica, [_SAMPLE])
    if found is None or len(set(found[_SAMPLE])) < 16:
        raise EngineError(f"{replica.url} has no /tokenize: only vLLM's own server can be profiled")
    return Prompts(sorted(set(found[_SAMPLE])), seed)


@dataclass(frozen=True, slots=True)
class Reading:
    """The time of one step together with `beside` steps of plain decoding."""

    cell: Cell
    seconds: float
    beside: int = 0


async def measure(
    client: ReplicaClient, prompts: Prompts, setup: CellSetup, window: int
) -> list[Reading]:
    """Run one setup once: plain decoding, then every chunk. Raises EngineError."""
    readings: list[Reading] = []
    failed: Exception | None = None
    for _ in range(_MOST_STARTS):
        # Streams that end too soon or break, as on a machine that stalls, are started again.
        try:
            async with _decoding(client, prompts, setup) as streams:
                if not readings:
                    readings.append(await _decode(streams, setup, window))
                while len(readings) <= len(setup.chunks):
                    chunk = setup.chunks[len(readings) - 1]
                    readings.append(await _prefill(client, prompts, streams, setup, chunk))
                return readings
        except (StreamEnded, ServerUnreachable) as error:
            failed = error
    if isinstance(failed, ServerUnreachable):
        raise failed
    raise EngineError(f"the streams ended {_MOST_STARTS} times before they were timed: {setup}")


@asynccontextmanager
async def _decoding(
    client: ReplicaClient, prompts: Prompts, setup: CellSetup
) -> AsyncGenerator[list[TokenStream]]:
    """`batch` streams, all of them past their first tokens; broken off at the end."""
    asked = [prompts.fresh(setup.context) for _ in range(setup.batch)]
    streams = [client.begin(prompt) for prompt in asked]
    tasks = [
        asyncio.ensure_future(client.follow(stream, prompt, setup.tokens))
        for stream, prompt in zip(streams, asked, strict=True)
    ]
    try:
        for stream in streams:
            await stream.reach(1)
        await _pass(streams, _SETTLE)
        yield streams
    finally:
        for task in tasks:
            task.cancel()
        # What went wrong was told through the streams.
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass(streams: Sequence[TokenStream], steps: int) -> None:
    """Wait for a number of steps."""
    await streams[0].reach(len(streams[0].arrivals) + steps)


async def _decode(streams: Sequence[TokenStream], setup: CellSetup, window: int) -> Reading:
    began = len(streams[0].arrivals) - 1
    kv_tokens = _kv_tokens(streams) + setup.batch * window / 2
    await _pass(streams, window)
    arrivals = streams[0].arrivals[began:]
    cell = Cell("decode", setup.batch, setup.batch, kv_tokens, 0, setup.held_out)
    # The mean: where tokens come in bursts, the median of parts is that of nothing and of too much.
    return Reading(cell, (arrivals[-1] - arrivals[0]) / (len(arrivals) - 1))


async def _prefill(
    client: ReplicaClient,
    prompts: Prompts,
    streams: Sequence[TokenStream],
    setup: CellSetup,
    chunk: Chunk,
) -> Reading:
    head = prompts.fresh(chunk.cached)
    if head:
        await client.complete([*head, *prompts.fresh(1)], 1)
    await _pass(streams, _SETTLE)
    sent = await client.complete([*head, *prompts.fresh(chunk.new)], 1)
    kv_tokens = _kv_tokens(streams) + sent.prompt_tokens
    await _pass(streams, _BESIDE + 2)
    seconds = statistics.median(_spans_around(streams, sent.arrivals[0]))
    new = sent.prompt_tokens - sent.cached_tokens
    cell = Cell(
        "cached" if sent.cached_tokens else "prefill",
        new + setup.batch,
        setup.batch + 1,
        kv_tokens,
        new * (sent.prompt_tokens - new / 2),
        setup.held_out,
    )
    return Reading(cell, seconds, 2 * _BESIDE)


def _spans_around(streams: Sequence[TokenStream], at: float) -> Iterator[float]:
    """For each stream, the time of the step that ended at `at` and of `_BESIDE` on each side."""
    for stream in streams:
        arrivals = stream.arrivals
        last = len(arrivals) - 1 - _BESIDE
        after = min(last, bisect_left(arrivals, at))
        nearest = min(after - 1, after, key=lambda each: abs(arrivals[each] - at))
        yield arrivals[nearest + _BESIDE] - arrivals[nearest - 1 - _BESIDE]


def _kv_tokens(streams: Sequence[TokenStream]) -> int:
    return sum(stream.prompt_tokens + len(stream.arrivals) for stream in streams)
