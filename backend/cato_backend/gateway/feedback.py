"""`POST /v1/feedback` and `GET /v1/feedback`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from cato_backend.gateway.incoming import parse_json, validated
from cato_backend.gateway.responses import json_response
from cato_backend.gateway.state import GATEWAY, TENANT, Gateway
from cato_backend.runtime.tenants import CompletedCall
from cato_backend.wire.feedback import FeedbackEvent

_UNKNOWN = "unknown"
Chars = Annotated[int, Field(ge=0, le=1_000_000)] | None


class FeedbackBody(BaseModel):
    """The body: nothing in it can hold code, and any other field is refused by its name."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    request_id: str = Field(pattern=r"^[\x21-\x7e]{1,200}$")
    event: FeedbackEvent = Field(strict=False)
    shown_chars: Chars = None
    accepted_chars: Chars = None
    latency_ms: float | None = Field(default=None, ge=0, le=3_600_000, allow_inf_nan=False)
    language: str | None = Field(default=None, pattern=r"^[A-Za-z0-9+#_.-]{1,40}$")


async def give(request: web.Request) -> web.StreamResponse:
    """`POST /v1/feedback`; see `wire.feedback`. 202, and whether the answer is still known."""
    gateway = request.app[GATEWAY]
    body = validated(FeedbackBody, parse_json(await gateway.bodies.read(request)))
    past = gateway.runtime.history.find(request[TENANT], body.request_id)
    gateway.feedback.add(request[TENANT], _entry(body, past))
    _count(gateway, body, past)
    return json_response({"object": "feedback", "joined": past is not None}, status=202)


async def export(request: web.Request) -> web.StreamResponse:
    """`GET /v1/feedback`: the token's own, oldest first, as JSON lines."""
    store = request.app[GATEWAY].feedback
    lines = await asyncio.to_thread(store.of, request[TENANT])
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


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)


def _count(gateway: Gateway, body: FeedbackBody, past: CompletedCall | None) -> None:
    metrics = gateway.runtime.metrics
    task = past.task.value if past else _UNKNOWN
    metrics.feedback.labels(task, body.event).inc()
    if body.event is FeedbackEvent.SHOWN:
        metrics.shown_chars.labels(task).inc(body.shown_chars or 0)
    if body.event in (FeedbackEvent.ACCEPTED, FeedbackEvent.PARTIALLY_ACCEPTED):
        metrics.accepted_chars.labels(task).inc(body.accepted_chars or 0)
