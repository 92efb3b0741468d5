"""Serving one call: its sequences step by step, streamed or whole, and its faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from cato_lab.emulator import errors
from cato_lab.emulator.bodies import Bodies
from cato_lab.emulator.calls import Call
from cato_lab.emulator.deltas import Delta, deltas, merged
from cato_lab.emulator.tokenizer import Tokenizer
from tests.fakes.vllm.engine import Pace
from tests.fakes.vllm.error_forms import error_body, error_event
from tests.fakes.vllm.script import ErrorForm, Fault, FaultKind, Script
from tests.fakes.vllm.state import State
from tests.fakes.vllm.text import tokens_after

_DONE = b"data: [DONE]\n\n"


class FakeBodies(Bodies):
    """As vLLM's, but the usage may lie."""

    def __init__(self, call: Call, script: Script, tokenizer: Tokenizer) -> None:
        super().__init__(call, script.served, tokenizer)
        self._factor = script.usage_factor

    def usage(self, prompt: int, completion: int) -> dict[str, Any]:
        return super().usage(round(prompt * self._factor), round(completion * self._factor))


class Generation:
    """A call while it runs."""

    def __init__(
        self, call: Call, script: Script, tokenizer: Tokenizer, state: State, cached: int
    ) -> None:
        self._call, self._script, self._state = call, script, state
        self._bodies, self._cached = FakeBodies(call, script, tokenizer), cached
        self._cold = call.prompt_tokens - cached
        self._sequences = [
            deltas(tokens_after(prompt, script, tokenizer), call, tokenizer)
            for prompt in call.prompts
            for _ in range(call.n)
        ]
        self._emitted = [0] * len(self._sequences)
        self._reasons: list[str] = []
        self._started_s = time.monotonic()

    async def serve(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        """Answers the request in the way that it asked for."""
        answer = self.stream if self._call.stream else self.whole
        return await answer(request, fault)

    async def whole(self, request: web.Request, fault: Fault | None) -> web.Response:
        """The answer in one body."""
        collected: list[list[Delta]] = [[] for _ in self._sequences]
        async for index, step in self._steps(fault):
            collected[index].append(step)
        if fault is not None and not self.finished:
            if fault.kind is not FaultKind.STREAM_ERROR:
                return await _fail(fault, request)
            if not fault.form.is_finish_reason:
                return web.json_response(error_body(fault.form, fault.status))
            for group in collected:
                group.append(_broken_off(fault.form))
        body = self._bodies.whole([merged(group) for group in collected], self._cached)
        return web.Response(body=orjson.dumps(body), content_type="application/json")

    async def stream(self, request: web.Request, fault: Fault | None) -> web.StreamResponse:
        """The answer as server-sent events; headers leave at once, as vLLM's do."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        try:
            await self._write_events(response, request, fault)
        except ConnectionResetError as error:
            raise asyncio.CancelledError from error
        return response

    async def _write_events(
        self, response: web.StreamResponse, request: web.Request, fault: Fault | None
    ) -> None:
        roles_due = self._call.chat
        async for index, step in self._steps(fault):
            if roles_due:
                for choice in range(len(self._sequences)):
                    await response.write(_event(self._bodies.role_chunk(choice)))
                roles_due = False
            first = self._emitted[index] == len(step.token_ids)
            chunk = self._bodies.chunk(index, step, self._emitted[index], first=first)
            await response.write(_event(chunk))
        if fault is not None and not self.finished:
            if fault.form.is_finish_reason:
                for index, count in enumerate(self._emitted):
                    step = _broken_off(fault.form)
                    chunk = self._bodies.chunk(index, step, count, first=not count)
                    await response.write(_event(chunk))
            elif not await _strike(fault, response, request):
                return
        elif self._call.include_usage:
            usage = self._bodies.usage_chunk(sum(self._emitted), self._cached)
            await response.write(_event(usage))
        await response.write(_DONE)

    async def _steps(self, fault: Fault | None = None) -> AsyncIterator[tuple[int, Delta]]:
        """Deltas as they fall due, until all sequences are finished or the fault strikes."""
        pace = Pace(self._script, self._cold)
        running = dict(enumerate(self._sequences))
        number, interval = 0, self._script.tokens_per_chunk
        while running and (fault is None or number < fault.after_tokens):
            taken = 1 if number == 0 else interval
            await pace.wait_for_token(number + taken - 1)
            self._note_first(number)
            for index, sequence in list(running.items()):
                step = _take(sequence, taken)
                if self._script.stamped:
                    step = replace(step, text=f"{time.monotonic_ns()} ", stop_reason=None)
                self._emitted[index] += len(step.token_ids)
                self._state.generated_tokens += len(step.token_ids)
                if step.finish_reason is not None:
                    del running[index]
                    self._reasons.append(step.finish_reason)
                yield index, step
            number += taken

    @property
    def finished(self) -> bool:
        """Whether every sequence came to its end."""
        return len(self._reasons) == len(self._sequences)

    def _note_first(self, number: int) -> None:
        if number == 0:
            self._state.ttft_s.append(time.monotonic() - self._started_s)

    def account(self) -> None:
        """Tells the state how the call ended; what did not come to its end was aborted."""
        self._state.finished.update(self._reasons)
        if not self.finished:
            self._state.finished["abort"] += len(self._sequences) - len(self._reasons)
        self._state.e2e_s.append(time.monotonic() - self._started_s)


def _take(sequence: Iterator[Delta], count: int) -> Delta:
    group = list(islice(sequence, count))
    return group[0] if len(group) == 1 else merged(group)


def _broken_off(form: ErrorForm) -> Delta:
    return Delta([], [], 0, "", form.value)


async def _fail(fault: Fault, request: web.Request) -> web.Response:
    """The fault of an answer that is not streamed."""
    if fault.kind is FaultKind.STALL:
        await asyncio.get_running_loop().create_future()
    if fault.kind is FaultKind.DIE and request.transport is not None:
        request.transport.abort()
    return web.json_response(errors.internal(fault.status).body, status=fault.status)


async def _strike(fault: Fault, response: web.StreamResponse, request: web.Request) -> bool:
    """Does what the fault says in mid-stream; whether the stream still ends with [DONE]."""
    match fault.kind:
        case FaultKind.DIE if request.transport is not None:
            request.transport.abort()
        case FaultKind.STALL:
            await asyncio.get_running_loop().create_future()
        case FaultKind.MALFORMED:
            await response.write(b'data: {"id": "cmpl-\n\n')
            return True
        case FaultKind.STREAM_ERROR:
            await response.write(error_event(fault.form, fault.status))
            return True
    return False


def _event(value: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"
