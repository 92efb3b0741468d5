"""`POST /v1/completions` and `/v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from aiohttp import web

from cato_backend.errors import RequestError
from cato_backend.gateway.continuations import Typist
from cato_backend.gateway.drafts import (
    Draft,
    Drafting,
    chat_draft,
    completion_draft,
    make_call,
    within_workflow,
)
from cato_backend.gateway.headers import GivenHeaders, RequestHeaders, parse_headers
from cato_backend.gateway.incoming import parse_json
from cato_backend.gateway.responses import StreamSink, WholeSink, error_response
from cato_backend.gateway.state import GATEWAY, TENANT, Gateway, targets_of
from cato_backend.runtime.calls import Call
from cato_backend.runtime.runtime import Remake, Runtime, run_call
from cato_backend.wire.headers import TASK_ALIASES


async def completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/completions`."""
    return await _serve(request, completion_draft)


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/chat/completions`."""
    return await _serve(request, chat_draft)


async def _serve(request: web.Request, drafting: Drafting) -> web.StreamResponse:
    gateway = request.app[GATEWAY]
    runtime = gateway.runtime
    arrival = runtime.clock()
    given = parse_headers(request.headers, request[TENANT])
    try:
        draft = drafting(parse_json(await gateway.bodies.read(request)))
        headers = _headers_of(given, draft, gateway)
        if headers.workflow is not None:
            headers = within_workflow(headers, runtime, arrival)
        with _among_keystrokes(request, given, draft, headers) as placed:
            remake = partial(make_call, draft, placed, runtime, arrival, 0)
            call = await remake(0)
            run = _stream if call.streams else _whole
            return await run(request, runtime, call, remake)
    except RequestError as error:
        return error_response(error, given.request_id)


def _headers_of(given: GivenHeaders, draft: Draft, gateway: Gateway) -> RequestHeaders:
    """With the class by its header, else by the model's alias, else by the request's shape."""
    named = given.task or TASK_ALIASES.get(draft.model)
    task = named or draft.shape.task_of(from_agent=given.from_agent)
    return given.of_task(task, targets_of(gateway, draft.model, task), named=named is not None)


@contextmanager
def _among_keystrokes(
    request: web.Request, given: GivenHeaders, draft: Draft, headers: RequestHeaders
) -> Generator[RequestHeaders]:
    """Yield the headers of a plain completion with its place among its client's other ones.

    A client that names class, session or document, or says whether it supersedes, knows itself what
    replaces what.
    """
    gateway = request.app[GATEWAY]
    cursor = draft.shape.cursor
    knows = given.names_origin or given.supersede is not None
    knows = knows or given.task is not None or draft.model in TASK_ALIASES
    if cursor is None or knows or not gateway.config.scheduling.supersede_plain:
        yield headers
        return
    origin = headers.origin
    typist = Typist(origin.tenant, origin.session, _source_of(request), draft.model)
    keystroke = gateway.continuations.begin(typist, cursor)
    try:
        yield replace(
            headers,
            origin=replace(origin, document=keystroke.document),
            supersede=keystroke.supersedes,
        )
    finally:
        gateway.continuations.end(keystroke)


def _source_of(request: web.Request) -> str:
    """Return where a request comes from, as far as it is known.

    That is its address, what a proxy says of it, and its program.
    """
    told = (request.headers.get(name, "")[:200] for name in ("X-Forwarded-For", "User-Agent"))
    return "\n".join((request.remote or "", *told))


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
