"""`POST /v1/completions` and `/v1/chat/completions`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from aiohttp import web

from cato_backend.errors import RequestError
from cato_backend.gateway.continuations import Keystroke, TypingClient
from cato_backend.gateway.drafts import (
    Draft,
    Drafting,
    chat_draft,
    completion_draft,
    make_call,
    within_workflow,
)
from cato_backend.gateway.headers import GivenHeaders, RequestHeaders
from cato_backend.gateway.incoming import parse_json
from cato_backend.gateway.responses import PlainSinks, Sinks, error_response
from cato_backend.gateway.state import GATEWAY, Gateway, given_headers, targets_of
from cato_backend.runtime.calls import Call
from cato_backend.runtime.runtime import Remake, Runtime, run_call
from cato_backend.wire.headers import TASK_ALIASES

AnswerT = TypeVar("AnswerT")
Run = Callable[[Call, Remake], Awaitable[AnswerT]]
"""Serves a call, which it can make again."""


async def completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/completions`."""
    return await _serve(request, completion_draft)


async def chat_completions(request: web.Request) -> web.StreamResponse:
    """`POST /v1/chat/completions`."""
    return await _serve(request, chat_draft)


async def _serve(request: web.Request, drafting: Drafting) -> web.StreamResponse:
    gateway = request.app[GATEWAY]
    arrival = gateway.runtime.clock()
    given = given_headers(request)
    try:
        draft = drafting(parse_json(await gateway.bodies.read(request)))
        return await serve_draft(request, given, draft, arrival, PlainSinks(request))
    except RequestError as error:
        return error_response(error, given.request_id)


async def serve_draft(
    request: web.Request, given: GivenHeaders, draft: Draft, arrival: float, sinks: Sinks
) -> web.StreamResponse:
    """Serve a draft whose request arrived then. Raises RequestError before the answer begins."""
    gateway = request.app[GATEWAY]
    run = partial(_answered, sinks, gateway.runtime)
    return await run_draft(gateway, source_of(request), given, draft, arrival, run)


async def run_draft(
    gateway: Gateway,
    source: str,
    given: GivenHeaders,
    draft: Draft,
    arrival: float,
    run: Run[AnswerT],
) -> AnswerT:
    """Have `run` serve a draft from this source. Raises RequestError."""
    headers = _headers_of(given, draft, gateway)
    if headers.workflow is not None:
        headers = within_workflow(headers, gateway.runtime, arrival)
    keystroke = _keystroke(source, given, draft, gateway)
    if keystroke is None:
        return await _run_placed(gateway.runtime, draft, headers, arrival, run)
    placed = replace(
        headers,
        origin=replace(headers.origin, document=keystroke.document),
        supersede=keystroke.supersedes,
    )
    try:
        return await _run_placed(gateway.runtime, draft, placed, arrival, run)
    finally:
        gateway.continuations.end(keystroke)


async def _run_placed(
    runtime: Runtime, draft: Draft, headers: RequestHeaders, arrival: float, run: Run[AnswerT]
) -> AnswerT:
    remake = partial(make_call, draft, headers, runtime, arrival, 0)
    return await run(await remake(0), remake)


def _headers_of(given: GivenHeaders, draft: Draft, gateway: Gateway) -> RequestHeaders:
    """With the class by its header, else by the model's alias, else by the request's shape."""
    named = given.task or TASK_ALIASES.get(draft.model)
    task = named or draft.shape.task_of(from_agent=given.from_agent)
    return given.of_task(task, targets_of(gateway, draft.model, task), named=named is not None)


def _keystroke(
    source: str, given: GivenHeaders, draft: Draft, gateway: Gateway
) -> Keystroke | None:
    """Return the place of a plain completion among its client's other ones, which must be ended.

    A client that names class, session or document, or says whether it supersedes, knows itself what
    replaces what.
    """
    cursor = draft.shape.cursor
    knows = given.names_origin or given.supersede is not None
    knows = knows or given.task is not None or draft.model in TASK_ALIASES
    if cursor is None or knows or not gateway.config.scheduling.supersede_plain:
        return None
    origin = given.origin
    typist = TypingClient(origin.tenant, origin.session, source, draft.model)
    return gateway.continuations.begin(typist, cursor)


def source_of(request: web.BaseRequest) -> str:
    """Return where a request comes from, as far as it is known.

    That is its address, what a proxy says of it, and its program.
    """
    told = (request.headers.get(name, "")[:200] for name in ("X-Forwarded-For", "User-Agent"))
    return "\n".join((request.remote or "", *told))


async def _answered(
    sinks: Sinks, runtime: Runtime, call: Call, remake: Remake
) -> web.StreamResponse:
    serve = _stream if call.streams else _whole
    return await serve(sinks, runtime, call, remake)


async def _whole(sinks: Sinks, runtime: Runtime, call: Call, remake: Remake) -> web.StreamResponse:
    sink = sinks.whole()
    await run_call(call, remake, runtime, sink)
    return sink.response()


async def _stream(sinks: Sinks, runtime: Runtime, call: Call, remake: Remake) -> web.StreamResponse:
    sink = sinks.stream()
    return await sink.serve(run_call(call, remake, runtime, sink))
