"""`POST /v1/tasks`: a whole task under one end-to-end target, as a stream of named events."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from cato_backend.errors import RequestError
from cato_backend.gateway.bodies import parse_json
from cato_backend.gateway.drafts import Draft, make_call
from cato_backend.gateway.headers import RequestHeaders, parse_headers
from cato_backend.gateway.responses import error_response
from cato_backend.gateway.sinks import StreamSink
from cato_backend.gateway.state import GATEWAY, TENANT, Gateway
from cato_backend.runtime.answer import text_of
from cato_backend.runtime.calls import Infill, Kind, Started
from cato_backend.tasks.calls import Abilities, CallKind, ModelCall
from cato_backend.tasks.parsing import parse_task_request
from cato_backend.tasks.whole import finish, plan
from cato_backend.wire import sse
from cato_backend.wire.headers import ALIAS
from cato_backend.wire.tasks import TaskEvent, TaskRequest


async def tasks(request: web.Request) -> web.StreamResponse:
    """`POST /v1/tasks`."""
    gateway = request.app[GATEWAY]
    arrival = gateway.runtime.clock()
    value = parse_json(await request.read())
    task = parse_task_request(value)
    headers = parse_headers(request.headers, request[TENANT], gateway.config.targets, task.task)
    run = _Run(gateway, headers, task, arrival, StreamSink(request))
    try:
        return await run.serve(str(value.get("model", ALIAS)))
    except RequestError as error:
        return error_response(error, headers.request_id)


class _Run:
    """One task on its way: its calls run one after another, all due at the same deadline."""

    def __init__(
        self,
        gateway: Gateway,
        headers: RequestHeaders,
        task: TaskRequest,
        arrival: float,
        sink: StreamSink,
    ) -> None:
        self._runtime = gateway.runtime
        self._headers = headers
        self._task = task
        self._arrival = arrival
        self._sink = sink

    async def serve(self, model: str) -> web.StreamResponse:
        """Raises RequestError as long as nothing was sent."""
        return await self._sink.serve(self._serve(model), TaskEvent.ERROR)

    async def _serve(self, model: str) -> None:
        calls = await self._plan(model)
        texts: list[str] = []
        finish_reason = ""
        for done, call in enumerate(calls):
            piece = _UnitSink(self._sink, done, len(calls))
            draft = _draft(call, model)
            model_call = await make_call(draft, self._headers, self._runtime, self._arrival)
            if not await self._runtime.run(model_call, piece):  # The client ended it by name.
                await self._sink.write(sse.event(sse.DONE))
                return
            finish_reason = piece.finish_reason
            texts.append(piece.text)
        await self._result(finish(self._task, texts), finish_reason)

    async def _plan(self, model: str) -> tuple[ModelCall, ...]:
        catalog = self._runtime.catalog
        name = await catalog.resolve(model, self._task.task, self._headers.target.budget_s)
        facts = catalog.facts(name)
        abilities = Abilities(
            name=facts.name,
            fim=facts.fim.format,
            has_chat_template=facts.has_chat_template,
            max_model_len=facts.max_model_len,
            chars_per_token=catalog.ratio(name).mean,
        )
        return plan(self._task, abilities)

    async def _result(self, text: str, finish_reason: str) -> None:
        elapsed_s = self._runtime.clock() - self._arrival
        value = {
            "text": text,
            "finish_reason": finish_reason,
            "elapsed_ms": round(elapsed_s * 1e3, 1),
            "met": elapsed_s <= self._headers.target.budget_s,
        }
        await self._sink.write(_event(TaskEvent.RESULT, value) + sse.event(sse.DONE))


class _UnitSink:
    """One call's stream as the task's events."""

    def __init__(self, sink: StreamSink, done: int, total: int) -> None:
        self._sink = sink
        self._progress = {"state": "running", "done": done, "total": total}
        self._reader = sse.EventReader()
        self.text = ""
        self.finish_reason = ""

    async def begin(self, started: Started) -> None:
        """Headers with the first call's first token, progress with each call's."""
        if self._sink.response is None:
            await self._sink.begin(started)
        await self._sink.write(_event(TaskEvent.PROGRESS, self._progress))

    async def write(self, data: bytes) -> None:
        """Passes the text on."""
        for event in self._reader.feed(data):
            if event.data != sse.DONE:
                await self._take(orjson.loads(event.data))

    async def _take(self, chunk: dict[str, Any]) -> None:
        for choice in chunk["choices"]:
            text = text_of(choice)
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            if text:
                self.text += text
                await self._sink.write(_event(TaskEvent.DELTA, {"text": text}))


def _draft(call: ModelCall, model: str) -> Draft:
    """A task's call as if it had come as a body of its own."""
    body: dict[str, Any] = {"stream": True, "temperature": 0, "max_tokens": call.max_tokens}
    if call.stop:
        body["stop"] = list(call.stop)
    if call.kind is CallKind.CHAT:
        messages = [{"role": m.role, "content": m.content} for m in call.messages]
        chars = sum(len(m.content) for m in call.messages)
        return Draft(Kind.CHAT, model, {**body, "messages": messages}, call.max_tokens, chars)
    infill = Infill(call.prefix, call.suffix) if call.kind is CallKind.INFILL else None
    body["prompt"] = call.prefix
    chars = len(call.prefix) + len(call.suffix)
    return Draft(Kind.COMPLETION, model, body, call.max_tokens, chars, infill=infill)


def _event(name: TaskEvent, value: dict[str, Any]) -> bytes:
    return sse.event(orjson.dumps(value).decode(), name)
