"""Open-loop load: each request is sent at its own time, and the driver reports its own lateness."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from secrets import token_hex

import aiohttp

from cato_backend.clock import Clock, monotonic
from cato_lab.load_test.client import Client, Prepared, Server
from cato_lab.load_test.probe import with_model, words_per_block
from cato_lab.load_test.text import PromptText
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.scoring.scores import Latencies
from cato_lab.workloads.arrival import Arrival, Workload

_AHEAD_S = 0.5
"""Between the probe and the first request."""
_MOST_READY = 512
"""Prompts written before they are due."""
_PREPARING_S = 0.004
"""What writing one more may take at most."""
_READ_BUFFER = 4 * 1024 * 1024
"""Bytes of one answer that may lie unread: they are read when it has ended."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Options of a load test."""

    salt: str = ""
    """Tells runs apart: prompts of another salt share no prefix. Empty draws one."""
    drain_s: float = 60.0
    """After the last arrival, what has not ended by then has failed."""
    silence_s: float = 60.0
    """A connection that brings nothing for this time is given up."""


@dataclass(frozen=True, slots=True)
class LoadRun:
    """Outcomes of all requests, and the lateness of the client (seconds)."""

    outcomes: tuple[Outcome, ...]
    lateness: Latencies
    latest_s: float


async def run_load(
    workload: Workload,
    seed: int,
    server: Server,
    options: LoadOptions,
    progress: Callable[[float, int, int], None] = lambda now, sent, open_: None,
    clock: Clock = monotonic,
) -> LoadRun:
    """Put the workload on the server. `progress`: time, sent so far, still open.

    Raises ConfigError where the server does not answer one small request at all.
    """
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=options.silence_s)
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, read_bufsize=_READ_BUFFER
    ) as session:
        server = await with_model(session, server)
        salt = options.salt or token_hex(8)
        text = PromptText(salt, await words_per_block(session, server, salt))
        client = Client(session, server, text, clock, token_hex(4))
        return await _Driver(client, clock, options).run(workload.arrivals(seed), progress)


class _Driver:
    def __init__(self, client: Client, clock: Clock, options: LoadOptions) -> None:
        self._client, self._clock, self._drain_s = client, clock, options.drain_s
        self._open: dict[asyncio.Task[Outcome], tuple[Arrival, float]] = {}
        self._outcomes: list[Outcome] = []
        self._lateness: list[float] = []

    async def run(
        self, arrivals: Iterable[Arrival], progress: Callable[[float, int, int], None]
    ) -> LoadRun:
        coming = iter(arrivals)
        ready = deque(self._prepared(coming, 1))
        start = self._clock() + _AHEAD_S
        while ready:
            due = start + ready[0].arrival.time
            self._prepare_until(due, ready, coming)
            await asyncio.sleep(max(0.0, due - self._clock()))
            self._send(ready.popleft(), due)
            progress(due - start, len(self._lateness), len(self._open))
            ready.extend(self._prepared(coming, 0 if ready else 1))
        await self._drain()
        lateness = Latencies.of(self._lateness)
        return LoadRun(tuple(self._outcomes), lateness, max(self._lateness, default=0.0))

    def _prepare_until(self, due: float, ready: deque[Prepared], coming: Iterator[Arrival]) -> None:
        """Write further prompts while there is nothing else to do."""
        while len(ready) < _MOST_READY and due - self._clock() > _PREPARING_S:
            more = list(self._prepared(coming, 1))
            if not more:
                return
            ready.extend(more)

    def _prepared(self, coming: Iterator[Arrival], count: int) -> Iterator[Prepared]:
        return (self._client.prepare(arrival) for arrival in islice(coming, count))

    def _send(self, prepared: Prepared, due: float) -> None:
        self._lateness.append(self._clock() - due)
        task = asyncio.create_task(self._client.send(prepared, due))
        self._open[task] = prepared.arrival, due
        task.add_done_callback(self._close)

    def _close(self, task: asyncio.Task[Outcome]) -> None:
        arrival, due = self._open.pop(task)
        if task.cancelled():
            ended_s = self._clock() - due
            self._outcomes.append(Outcome(arrival, Ending.FAILED, ended_s, reason="unfinished"))
        else:
            self._outcomes.append(task.result())

    async def _drain(self) -> None:
        if not self._open:
            return
        _, late = await asyncio.wait(list(self._open), timeout=self._drain_s)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
