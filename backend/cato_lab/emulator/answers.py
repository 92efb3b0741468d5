"""The answer to one call: its sequences token by token, streamed or whole, until a fault occurs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from cato_backend.clock import monotonic
from cato_lab.emulator.bodies import Bodies
from cato_lab.emulator.calls import Call
from cato_lab.emulator.deltas import Delta, merged
from cato_lab.emulator.faults import Fault, FaultKind, break_stream, fail_whole
from cato_lab.emulator.metrics import EngineMetrics
from cato_lab.emulator.state import EmulatorState

_DONE = b"data: [DONE]\n\n"
Write = Callable[[Mapping[str, Any]], None]


class SequenceAnswer:
    """The answer of one sequence of the call."""

    def __init__(self, answer: Answer, index: int, deltas: Iterator[Delta]) -> None:
        self._answer, self._index, self._deltas = answer, index, deltas
        self.emitted = 0
        self.finish_reason: str | None = None
        self._runs = False

    def admitted(self, cached_tokens: int) -> None:
        """Record that it runs.

        After a preemption most of its own prompt is cached; that is not told.
        """
        if not self._runs:
            self._runs = True
            self._answer.note_admitted(self._index, cached_tokens)

    def token(self) -> bool:
        """Emit the next token. Returns whether another one follows."""
        if self._answer.struck:
            return True
        delta = next(self._deltas)
        self.emitted += len(delta.token_ids)
        self.finish_reason = delta.finish_reason
        self._answer.add(self._index, delta, self.emitted)
        return delta.finish_reason is None

    async def ready(self) -> None:
        """Return when the client's connection can take a token; never once a fault has struck."""
        await self._answer.ready()


class Answer:
    """An answer while it grows."""

    def __init__(
        self,
        call: Call,
        bodies: Bodies,
        sequences: Sequence[Iterator[Delta]],
        metrics: EngineMetrics,
        state: EmulatorState,
        fault: Fault | None = None,
    ) -> None:
        self._call, self._bodies, self._fault = call, bodies, fault
        self._metrics, self._state = metrics, state
        self.sequences = [SequenceAnswer(self, i, each) for i, each in enumerate(sequences)]
        self.struck = False
        """Whether the fault has struck: no token follows."""
        self._collected: list[list[Delta]] = [[] for _ in sequences]
        self._response: web.StreamResponse | None = None
        self._writer: AbstractStreamWriter | None = None
        self._write: Write | None = None
        self._cached_tokens = 0
        self._arrived_s = monotonic()
        self._last_s = [self._arrived_s] * len(sequences)
        self._ended = asyncio.Event()

    async def begin(self, request: web.Request) -> None:
        """Send the headers of a stream: they leave at once, as vLLM's do."""
        if self._call.stream:
            headers = {"Content-Type": "text/event-stream; charset=utf-8"}
            self._response = web.StreamResponse(headers=headers)
            self._writer = await self._response.prepare(request)
            self._write = _direct(request)

    async def end(self, request: web.Request) -> web.StreamResponse:
        """Return the answer once it is complete, or once its fault has struck."""
        await self._ended.wait()
        fault = self._fault if self.struck else None
        if self._response is None:
            return await self._whole(request, fault)
        if fault is None:
            await self._response.write(self._usage() + _DONE)
        elif await self._broken(fault, self._response, request):
            await self._response.write(_DONE)
        return self._response

    async def ready(self) -> None:
        """Return when the client's connection can take a token; never once a fault has struck."""
        if self.struck:
            await asyncio.get_running_loop().create_future()
        if self._writer is not None:
            with suppress(ConnectionError):  # The request's own task is told.
                await self._writer.drain()

    def account(self) -> None:
        """Count the endings of the sequences. Unfinished ones count as aborted."""
        self._state.finished.update(each.finish_reason or "abort" for each in self.sequences)
        self._state.changed()

    def note_admitted(self, index: int, cached_tokens: int) -> None:
        """Record that a sequence began to run."""
        prompt = len(self._call.prompts[index // self._call.n])
        self._cached_tokens += cached_tokens
        self._metrics.queued.observe(monotonic() - self._arrived_s)
        self._metrics.prompt_tokens.inc(prompt)
        self._metrics.prefix_queries.inc(prompt)
        self._metrics.prefix_hits.inc(cached_tokens)
        self._strike_if_due()

    def add(self, index: int, delta: Delta, emitted: int) -> None:
        """Record that a sequence has said this; `emitted`: tokens of it so far."""
        self._state.generated_tokens += len(delta.token_ids)
        self._time(index, emitted)
        if self._write is None:
            self._collected[index].append(delta)
        else:
            self._send(self._write, index, delta, emitted)
        if delta.finish_reason is not None:
            self._end_sequence(delta.finish_reason)
        self._strike_if_due()

    async def _whole(self, request: web.Request, fault: Fault | None) -> web.Response:
        if fault is not None:
            if fault.kind is not FaultKind.STREAM_ERROR or not fault.form.is_finish_reason:
                return await fail_whole(fault, request)
            for group in self._collected:
                group.append(_broken_off(fault))
        deltas = [merged(group) for group in self._collected]
        body = self._bodies.whole(deltas, self._cached_tokens)
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    async def _broken(
        self, fault: Fault, response: web.StreamResponse, request: web.Request
    ) -> bool:
        """End a stream with its fault. Returns whether [DONE] follows."""
        if not fault.form.is_finish_reason:
            return await break_stream(fault, response, request)
        for index, each in enumerate(self.sequences):
            step = _broken_off(fault)
            chunk = self._bodies.chunk(index, step, each.emitted, first=not each.emitted)
            await response.write(_event(chunk))
        return True

    def _usage(self) -> bytes:
        if not self._call.include_usage:
            return b""
        generated = sum(each.emitted for each in self.sequences)
        return _event(self._bodies.usage_chunk(generated, self._cached_tokens))

    def _strike_if_due(self) -> None:
        if self._fault is None:
            return
        emitted = [each.emitted for each in self.sequences if each.finish_reason is None]
        if emitted and min(emitted) >= self._fault.after_tokens:
            self.struck = True
            self._ended.set()

    def _send(self, write: Write, index: int, delta: Delta, emitted: int) -> None:
        first = emitted == len(delta.token_ids)
        if self._call.chat and first:
            write(self._bodies.role_chunk(index))
        write(self._bodies.chunk(index, delta, emitted, first=first))

    def _time(self, index: int, emitted: int) -> None:
        now = monotonic()
        if emitted == 1:
            self._metrics.ttft.observe(now - self._arrived_s)
            self._state.changed()
        else:
            self._metrics.inter_token.observe(now - self._last_s[index])
        self._last_s[index] = now

    def _end_sequence(self, reason: str) -> None:
        self._metrics.ended[reason].inc()
        if any(each.finish_reason is None for each in self.sequences):
            return
        self._metrics.e2e.observe(monotonic() - self._arrived_s)
        self._ended.set()


def _broken_off(fault: Fault) -> Delta:
    return Delta([], [], 0, "", fault.form.value)


def _direct(request: web.Request) -> Write:
    """Write events past aiohttp's coroutine, in its chunked framing.

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
