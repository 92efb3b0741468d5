"""`POST /v1/warm`: the prefix cache is filled where nobody has to wait for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from aiohttp import web

from cato_backend.errors import InvalidRequest, NotFound, Overloaded, RequestError
from cato_backend.gateway.bodies import WarmBody
from cato_backend.gateway.drafts import completion_draft, make_call
from cato_backend.gateway.headers import RequestHeaders, parse_headers
from cato_backend.gateway.incoming import parse_json, validated
from cato_backend.gateway.responses import json_response
from cato_backend.gateway.state import GATEWAY, TENANT
from cato_backend.requests import Origin, Target
from cato_backend.runtime.calls import Call, Sink, Started
from cato_backend.runtime.runtime import Remake, Runtime, run_call
from cato_backend.wire.headers import Task
from cato_backend.wire.warm import WarmStatus

_TARGET = Target(ttft_s=10.0, worthless_after_s=1.0)
"""Nobody waits for it. What cannot start within a second will find the person elsewhere."""
_PATIENCE_S = 10.0
_PREFILL_ONLY = {"max_tokens": 1, "temperature": 0, "stream": False}


async def warm(request: web.Request) -> web.StreamResponse:
    """`POST /v1/warm`; see `wire.warm`."""
    gateway = request.app[GATEWAY]
    runtime = gateway.runtime
    given = parse_headers(request.headers, request[TENANT])
    headers = given.of_task(Task.COMPLETION, gateway.config.targets)
    value = parse_json(await gateway.bodies.read(request))
    body = validated(WarmBody, value)
    wait_s = gateway.warm_cap.wait_s((request[TENANT], headers.origin.session), runtime.clock())
    if wait_s:
        raise Overloaded("this editor warms too often", retry_after_s=wait_s)
    remake = partial(_call, value, body, headers, runtime, runtime.clock())
    call = await remake(0)
    if runtime.waiting(call.request.model):
        return _skipped("requests_wait")
    return await _run(call, remake, runtime)


async def _call(
    value: dict[str, Any],
    body: WarmBody,
    headers: RequestHeaders,
    runtime: Runtime,
    arrival: float,
    least_context: int,
) -> Call:
    draft = completion_draft(value | _PREFILL_ONLY)
    # Without its document: what the person types next must not count as newer than this.
    origin = Origin(headers.origin.tenant, headers.origin.session)
    headers = replace(headers, target=_TARGET, origin=origin, supersede=False)
    call = await make_call(draft, headers, runtime, arrival, body.max_tokens, least_context)
    return replace(call, request=replace(call.request, warm=True))


async def _run(call: Call, remake: Remake, runtime: Runtime) -> web.StreamResponse:
    sink = _UsageSink()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await run_call(call, remake, runtime, sink)
    except (InvalidRequest, NotFound):
        raise
    except RequestError as error:
        return _skipped(error.code)
    except TimeoutError:
        return _skipped("expired")
    return json_response({"object": "warm", "status": WarmStatus.WARMED, **sink.counts})


def _skipped(reason: str) -> web.Response:
    return json_response(
        {"object": "warm", "status": WarmStatus.SKIPPED, "reason": reason}, status=202
    )


class _UsageSink(Sink):
    """Takes what the engine says about the prompt, and drops its one token."""

    def __init__(self) -> None:
        self.counts: dict[str, Any] = {}

    async def begin(self, started: Started) -> None:
        """Remembers where it ran."""
        self.counts["replica"] = started.replica_id

    async def write(self, data: bytes) -> None:
        """Remembers the counts of the one JSON body."""
        usage: dict[str, Any] = orjson.loads(data).get("usage") or {}
        details: dict[str, Any] = usage.get("prompt_tokens_details") or {}
        self.counts["prompt_tokens"] = usage.get("prompt_tokens")
        self.counts["cached_tokens"] = details.get("cached_tokens")
