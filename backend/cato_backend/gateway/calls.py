"""`POST /v1/completions` and `/v1/chat/completions`."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from cato_backend.errors import RequestError
from cato_backend.gateway.bodies import parse_json
from cato_backend.gateway.drafts import (
    Drafting,
    chat_draft,
    completion_draft,
    make_call,
    within_workflow,
)
from cato_backend.gateway.headers import parse_headers
from cato_backend.gateway.remaking import Remake, run_call
from cato_backend.gateway.responses import error_response
from cato_backend.gateway.sinks import StreamSink, WholeSink
from cato_backend.gateway.state import GATEWAY, TENANT
from cato_backend.runtime.calls import Call
from cato_backend.runtime.runtime import Runtime


async def completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/completions`."""
    return await _serve(request, completion_draft)


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/chat/completions`."""
    return await _serve(request, chat_draft)


async def _serve(request: web.Request, drafting: Drafting) -> web.StreamResponse:
    gateway = request.app[GATEWAY]
    arrival = gateway.runtime.clock()
    headers = parse_headers(request.headers, request[TENANT], gateway.config.targets)
    if headers.workflow is not None:
        headers = within_workflow(headers, gateway.runtime, arrival)
    try:
        draft = drafting(parse_json(await request.read()))
        remake = partial(make_call, draft, headers, gateway.runtime, arrival, 0)
        call = await remake(0)
        run = _stream if call.streams else _whole
        return await run(request, gateway.runtime, call, remake)
    except RequestError as error:
        return error_response(error, headers.request_id)


async def _whole(
    request: web.Request, runtime: Runtime, call: Call, remake: Remake
) -> web.StreamResponse:
    sink = WholeSink()
    await run_call(call, remake, runtime, sink)
    return sink.response()


async def _stream(
    request: web.Request, runtime: Runtime, call: Call, remake: Remake
) -> web.StreamResponse:
    sink = StreamSink(request)
    return await sink.serve(run_call(call, remake, runtime, sink))
