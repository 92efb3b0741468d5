"""`/v1/warm` and `/v1/feedback`: computation of a prompt in advance, and outcomes of answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import orjson
from aiohttp import web
from pydantic import Field

from cato_backend.errors import InvalidRequest, NotFound, Overloaded, RequestError
from cato_backend.gateway.bodies import StrictBody, WarmBody
from cato_backend.gateway.drafts import completion_draft, make_call
from cato_backend.gateway.headers import RequestHeaders
from cato_backend.gateway.incoming import parse_json, validated
from cato_backend.gateway.responses import json_response
from cato_backend.gateway.state import GATEWAY, REQUESTER, TENANT, Gateway, given_headers
from cato_backend.requests import Origin, Target
from cato_backend.runtime.calls import Call, Sink, Started
from cato_backend.runtime.runtime import Remake, Runtime, run_call
from cato_backend.runtime.tenants import CompletedCall
from cato_backend.wire.editor_calls import FeedbackEvent, WarmStatus
from cato_backend.wire.headers import Task

_WARM_TARGET = Target(ttft_s=10.0, worthless_after_s=1.0)
"""No person waits for a warm-up. One that cannot start within a second comes too late."""
_WARM_PATIENCE_S = 10.0
_PREFILL_ONLY = {"max_tokens": 1, "temperature": 0, "stream": False}
_UNKNOWN = "unknown"
Count = Annotated[int, Field(ge=0, le=1_000_000)] | None


async def warm(request: web.Request) -> web.StreamResponse:
    """`POST /v1/warm`; see `wire.editor_calls`."""
    gateway = request.app[GATEWAY]
    runtime = gateway.runtime
    given = given_headers(request)
    headers = given.of_task(Task.COMPLETION, gateway.config.targets)
    value = parse_json(await gateway.bodies.read(request))
    body = validated(WarmBody, value)
    who, session = request[REQUESTER], headers.origin.session
    wait_s = gateway.warm_caps.wait_s(who, session, runtime.clock())
    if wait_s:
        raise Overloaded("this editor warms too often", retry_after_s=wait_s)
    remake = partial(_warm_call, value, body, headers, runtime, runtime.clock())
    call = await remake(0)
    if runtime.waiting(call.request.model):
        return _skipped("requests_wait")
    return await _run_warm(call, remake, runtime)


async def _warm_call(
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
    headers = replace(headers, target=_WARM_TARGET, origin=origin, supersede=False)
    call = await make_call(draft, headers, runtime, arrival, body.max_tokens, least_context)
    return replace(call, request=replace(call.request, warm=True))


async def _run_warm(call: Call, remake: Remake, runtime: Runtime) -> web.StreamResponse:
    sink = _UsageSink()
    try:
        async with asyncio.timeout(_WARM_PATIENCE_S):
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


class FeedbackBody(StrictBody):
    """The body. No field can hold code; an unknown field is refused by its name."""

    request_id: str = Field(pattern=r"^[\x21-\x7e]{1,200}$")
    event: FeedbackEvent = Field(strict=False)
    shown_chars: Count = None
    accepted_chars: Count = None
    shown_lines: Count = None
    accepted_lines: Count = None
    latency_ms: float | None = Field(default=None, ge=0, le=3_600_000, allow_inf_nan=False)
    language: str | None = Field(default=None, pattern=r"^[A-Za-z0-9+#_.-]{1,40}$")
    editor: str | None = Field(default=None, pattern=r"^[A-Za-z0-9+#_. -]{1,60}$")


async def give(request: web.Request) -> web.StreamResponse:
    """`POST /v1/feedback`; see `wire.editor_calls`. 202, and whether the answer is still known."""
    gateway = request.app[GATEWAY]
    body = validated(FeedbackBody, parse_json(await gateway.bodies.read(request)))
    past = gateway.runtime.history.find(request[TENANT], body.request_id)
    entry = _entry(body, past) | _spent(gateway, request[TENANT])
    gateway.feedback.add(request[TENANT], entry)
    _count_feedback(gateway, body, past)
    return json_response({"object": "feedback", "joined": past is not None}, status=202)


async def export(request: web.Request) -> web.StreamResponse:
    """`GET /v1/feedback`: the token's own, oldest first, as JSON lines."""
    store = request.app[GATEWAY].feedback
    lines = await store.read(store.of, request[TENANT])
    return web.Response(body=lines, content_type="application/x-ndjson")


def _entry(body: FeedbackBody, past: CompletedCall | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="milliseconds")}
    entry |= body.model_dump(exclude_none=True)
    if past is not None:
        entry |= {
            "task": past.task,
            "model": past.model,
            "outcome": past.outcome,
            "ttft_ms": _milliseconds(past.ttft_s),
            "e2e_ms": _milliseconds(past.e2e_s),
        }
    return entry


def _spent(gateway: Gateway, tenant: str) -> dict[str, Any]:
    """Return what the tenant's requests have taken since its last feedback."""
    spent = gateway.runtime.spent.take(tenant, gateway.prices.per_hour)
    if not spent.engine_s:
        return {}
    entry: dict[str, Any] = {"engine_s": round(spent.engine_s, 4)}
    if spent.money is not None:
        entry |= {"cost": round(spent.money, 8), "currency": gateway.prices.currency}
    return entry


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)


def _count_feedback(gateway: Gateway, body: FeedbackBody, past: CompletedCall | None) -> None:
    metrics = gateway.runtime.metrics
    task = past.task.value if past else _UNKNOWN
    metrics.feedback.labels(task, body.event).inc()
    if body.event is FeedbackEvent.SHOWN:
        metrics.shown_chars.labels(task).inc(body.shown_chars or 0)
    if body.event in (FeedbackEvent.ACCEPTED, FeedbackEvent.PARTIALLY_ACCEPTED):
        metrics.accepted_chars.labels(task).inc(body.accepted_chars or 0)
