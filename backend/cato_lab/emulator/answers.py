"""One call's answer: its sequences token by token, streamed or whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import HttpVersion11, web

from cato_backend.clock import monotonic
from cato_lab.emulator.bodies import Bodies
from cato_lab.emulator.calls import Call
from cato_lab.emulator.deltas import Delta, merged
from cato_lab.emulator.metrics import EngineMetrics

_DONE = b"data: [DONE]\n\n"
Write = Callable[[Mapping[str, Any]], None]


class SequenceAnswer:
    """What one sequence of the call says; a sink for its tokens."""

    def __init__(self, answer: Answer, index: int, deltas: Iterator[Delta]) -> None:
        self._answer, self._index, self._deltas = answer, index, deltas
        self._emitted = 0
        self._runs = False

    def admitted(self, cached_tokens: int) -> None:
        """It runs. After a preemption most of its own prompt is cached; that is not told."""
        if not self._runs:
            self._runs = True
            self._answer.note_admitted(self._index, cached_tokens)

    def token(self) -> bool:
        """The next token goes out."""
        delta = next(self._deltas)
        self._emitted += len(delta.token_ids)
        self._answer.add(self._index, delta, self._emitted)
        return delta.finish_reason is None


class Answer:
    """An answer while it grows."""

    def __init__(
        self,
        call: Call,
        bodies: Bodies,
        metrics: EngineMetrics,
        sequences: Sequence[Iterator[Delta]],
    ) -> None:
        self.call = call
        self._bodies, self._metrics = bodies, metrics
        self.sequences = [SequenceAnswer(self, i, each) for i, each in enumerate(sequences)]
        self._collected: list[list[Delta]] = [[] for _ in sequences]
        self._write: Write | None = None
        self._unfinished = len(sequences)
        self._cached_tokens = self._generated = 0
        self._arrived_s = monotonic()
        self._last_s = [self._arrived_s] * len(sequences)
        self._ended = asyncio.Event()

    async def whole(self) -> web.Response:
        """The answer in one body, once it is complete."""
        await self._ended.wait()
        deltas = [merged(group) for group in self._collected]
        body = self._bodies.whole(deltas, self._cached_tokens)
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The answer as server-sent events; headers leave at once, as vLLM's do."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        self._write = _direct(request)
        await response.prepare(request)
        await self._ended.wait()
        if self.call.include_usage:
            usage = self._bodies.usage_chunk(self._generated, self._cached_tokens)
            await response.write(_event(usage))
        await response.write(_DONE)
        return response

    def note_admitted(self, index: int, cached_tokens: int) -> None:
        """A sequence began to run."""
        prompt = len(self.call.prompts[index // self.call.n])
        self._cached_tokens += cached_tokens
        self._metrics.queued.observe(monotonic() - self._arrived_s)
        self._metrics.prompt_tokens.inc(prompt)
        self._metrics.prefix_queries.inc(prompt)
        self._metrics.prefix_hits.inc(cached_tokens)

    def add(self, index: int, delta: Delta, emitted: int) -> None:
        """A sequence has said this; `emitted`: tokens of it so far."""
        self._time(index, emitted)
        self._generated += len(delta.token_ids)
        if self._write is None:
            self._collected[index].append(delta)
        else:
            self._send(self._write, index, delta, emitted)
        if delta.finish_reason is not None:
            self._end_sequence(delta.finish_reason)

    def _send(self, write: Write, index: int, delta: Delta, emitted: int) -> None:
        first = emitted == len(delta.token_ids)
        if self.call.chat and first:
            write(self._bodies.role_chunk(index))
        write(self._bodies.chunk(index, delta, emitted, first=first))

    def _time(self, index: int, emitted: int) -> None:
        now = monotonic()
        if emitted == 1:
            self._metrics.ttft.observe(now - self._arrived_s)
        else:
            self._metrics.inter_token.observe(now - self._last_s[index])
        self._last_s[index] = now

    def _end_sequence(self, reason: str) -> None:
        self._metrics.ended[reason].inc()
        self._unfinished -= 1
        if not self._unfinished:
            self._metrics.e2e.observe(monotonic() - self._arrived_s)
            self._ended.set()


def _direct(request: web.Request) -> Write:
    """Writes events past aiohttp's coroutine, in its chunked framing.

    A step has a token for each stream. Waking each stream's task for its own token costs several
    times what the write does, and would make an emulator of many streams late.
    """
    transport, chunked = request.transport, request.version >= HttpVersion11

    def write(value: Mapping[str, Any]) -> None:
        if transport is not None and not transport.is_closing():
            event = _event(value)
            transport.write(b"%x\r\n%b\r\n" % (len(event), event) if chunked else event)

    return write


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
