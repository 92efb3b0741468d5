"""The routes for cancellation, models, health and metrics."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from cato_backend import __version__
from cato_backend.errors import InvalidRequest, NotFound, Unauthorized
from cato_backend.fleet.profiles import profile_file
from cato_backend.gateway.agents.handlers import ANTHROPIC_VERSION, messages_models
from cato_backend.gateway.bodies import CancelBody
from cato_backend.gateway.incoming import parse_json, validated
from cato_backend.gateway.model_entries import alias_entry, model_entry
from cato_backend.gateway.page_session import authorization_of
from cato_backend.gateway.responses import json_response
from cato_backend.gateway.state import DOCUMENT, GATEWAY, TENANT, Gateway
from cato_backend.gateway.status_reports import (
    inventory_report,
    replica_report,
    source_report,
    status_of,
    what_is_wrong,
    without_paths,
)
from cato_backend.team.records import Role
from cato_backend.wire.discovery import NONCE
from cato_backend.wire.headers import ALIASES, Task


async def cancel(request: web.Request) -> web.StreamResponse:
    """`POST /v1/requests/{id}/cancel` `{"reason": "enough" | "typed" | "closed"}`."""
    gateway = request.app[GATEWAY]
    data = await gateway.bodies.read(request)
    reason = validated(CancelBody, parse_json(data) if data else {}).reason
    request_id = request.match_info["id"]
    gateway.runtime.cancel(request_id, request[TENANT], reason)
    return json_response({"id": request_id, "object": "request.cancelled", "reason": reason})


async def models(request: web.Request) -> web.StreamResponse:
    """`GET /v1/models`: the aliases first, then every model by its own name."""
    gateway = request.app[GATEWAY]
    catalog = gateway.runtime.catalog
    known = catalog.models()
    aliases = [alias_entry(gateway, alias) for alias in ALIASES] if known else []
    entries = [model_entry(gateway, facts, facts.name) for facts in (*known, *catalog.adapters())]
    if ANTHROPIC_VERSION in request.headers:
        return json_response(messages_models(aliases + entries))
    return json_response({"object": "list", "data": aliases + entries})


async def model(request: web.Request) -> web.StreamResponse:
    """`GET /v1/models/{name}`."""
    gateway = request.app[GATEWAY]
    name = request.match_info["name"]
    resolved = await gateway.runtime.catalog.resolve(name, Task.COMPLETION, 0)
    if name in ALIASES:
        return json_response(alias_entry(gateway, name))
    return json_response(model_entry(gateway, gateway.runtime.catalog.facts(resolved), name))


async def health(request: web.Request) -> web.StreamResponse:
    """`GET /health`: 200 while requests are taken, else 503; needs no token.

    Without a token where one is needed, the answer has the status alone. Only admins are told
    paths of the server.
    """
    gateway = request.app[GATEWAY]
    status, role = status_of(gateway), _known_role(request)
    body: dict[str, Any] = {"status": status}
    if role is not None:
        details = _details(gateway, status)
        body |= details if role.includes(Role.ADMIN) else without_paths(details)
    return json_response(body, 200 if status == "ok" else 503)


async def identity(request: web.Request) -> web.StreamResponse:
    """`GET /identity?nonce=HEX`: the proof that this is the process that announced itself."""
    nonce = request.query.get("nonce", "")
    if not NONCE.fullmatch(nonce):
        raise InvalidRequest("nonce: expected 32 to 128 hexadecimal digits", param="nonce")
    return json_response({"proof": request.app[GATEWAY].prove(nonce)})


def _known_role(request: web.Request) -> Role | None:
    """Return the client's role; None if a token is needed and the client has none."""
    gateway = request.app[GATEWAY]
    try:
        return gateway.credentials.identify(authorization_of(request, gateway.config)).role
    except Unauthorized:
        return None


def _details(gateway: Gateway, status: str) -> dict[str, Any]:
    return {
        "version": __version__,
        "message": "" if status == "ok" else what_is_wrong(gateway),
        "replicas": [replica_report(gateway, status) for status in gateway.statuses()],
        "sources": [source_report(status) for status in gateway.sources()],
        "inventory": inventory_report(gateway.inventory),
        "gateways": {
            "expected": gateway.config.server.gateways,
            "up": gateway.connections.gateways,
        },
    }


async def openapi(request: web.Request) -> web.StreamResponse:
    """`GET /openapi.json`: this interface as an OpenAPI 3.1 document; needs no token."""
    return web.Response(body=request.app[DOCUMENT], content_type="application/json")


async def replica_profile(request: web.Request) -> web.StreamResponse:
    """`GET /v1/replicas/{id}/profile`: what was learned of the replica, as a profile file."""
    runtime = request.app[GATEWAY].runtime
    name = request.match_info["id"]
    load = runtime.replica(name)
    if load is None:
        known = ", ".join(each.replica_id for each in runtime.replicas()) or "none"
        raise NotFound(f"id: got {name!r}, expected a replica that is up: {known}", param="id")
    return json_response(profile_file(load, runtime.clock()).model_dump(mode="json"))


async def metrics(request: web.Request) -> web.StreamResponse:
    """`GET /metrics`: Prometheus' text format."""
    gateway = request.app[GATEWAY]
    await gateway.connections.refresh()
    _refresh(gateway)
    return web.Response(
        body=gateway.runtime.metrics.exposition(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


def _refresh(gateway: Gateway) -> None:
    """Set the gauges from the ledger; called for each scrape."""
    runtime = gateway.runtime
    metrics = runtime.metrics
    gauges = (
        metrics.running,
        metrics.others,
        metrics.engine_slots,
        metrics.outstanding,
        metrics.replicas,
    )
    for gauge in (*gauges, metrics.waiting):
        gauge.clear()
    runtime.law_gauges.show(runtime.replicas(), runtime.clock())
    for load in runtime.replicas():
        if not load.draining:
            metrics.replicas.labels(load.model).inc()
        metrics.running.labels(load.replica_id).set(load.running)
        metrics.others.labels(load.replica_id).set(load.others)
        if load.capacity.slots is not None:
            metrics.engine_slots.labels(load.replica_id).set(load.capacity.slots)
        metrics.outstanding.labels(load.replica_id).set(load.outstanding_tokens)
    connections = gateway.connections
    metrics.connections.labels("busy").set(connections.busy)
    metrics.connections.labels("idle").set(len(connections) - connections.busy)
    metrics.gateways.set(connections.gateways)
    metrics.tasks.set(len(asyncio.all_tasks()))
    for facts in runtime.catalog.models():
        metrics.waiting.labels(facts.name).set(runtime.waiting(facts.name))
        # 0 for a model whose last replica is gone.
        metrics.replicas.labels(facts.name)
