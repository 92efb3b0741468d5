"""The small routes: cancel, models, health, metrics."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from cato_backend import __version__
from cato_backend.errors import InvalidRequest
from cato_backend.gateway.bodies import parse_json
from cato_backend.gateway.responses import json_response
from cato_backend.gateway.state import GATEWAY, TENANT, Gateway
from cato_backend.runtime.facts import ModelFacts
from cato_backend.runtime.render import max_prompt_tokens
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.headers import ALIAS, CancelReason, Task


async def cancel(request: web.Request) -> web.StreamResponse:
    """`POST /v1/requests/{id}/cancel` `{"reason": "enough" | "typed" | "closed"}`."""
    data = await request.read()
    value = (parse_json(data) if data else {}).get("reason", CancelReason.CLOSED)
    try:
        reason = CancelReason(value)
    except ValueError as error:
        expected = ", ".join(CancelReason)
        raise InvalidRequest(
            f"reason: got {value!r}, expected one of {expected}", param="reason"
        ) from error
    request_id = request.match_info["id"]
    request.app[GATEWAY].runtime.cancel(request_id, request[TENANT], reason)
    return json_response({"id": request_id, "object": "request.cancelled", "reason": reason})


async def models(request: web.Request) -> web.StreamResponse:
    """`GET /v1/models`: the alias first, then every model by its own name."""
    gateway = request.app[GATEWAY]
    known = gateway.runtime.catalog.models()
    entries = [_entry(gateway, facts, facts.name) for facts in known]
    if known:
        default = _alias_facts(gateway, known)
        alias = _entry(gateway, default, ALIAS)
        alias["cato"]["tasks"] = list(Task)
        entries.insert(0, alias)
    return json_response({"object": "list", "data": entries})


async def model(request: web.Request) -> web.StreamResponse:
    """`GET /v1/models/{name}`."""
    gateway = request.app[GATEWAY]
    name = request.match_info["name"]
    resolved = await gateway.runtime.catalog.resolve(name, Task.COMPLETION, 0)
    return json_response(_entry(gateway, gateway.runtime.catalog.facts(resolved), name))


async def health(request: web.Request) -> web.StreamResponse:
    """`GET /health`: 200 while a replica takes requests, else 503; open to everybody."""
    gateway = request.app[GATEWAY]
    loads = gateway.runtime.replicas()
    status = "ok" if loads else "starting"
    body: dict[str, Any] = {
        "status": status,
        "version": __version__,
        "message": "" if loads else gateway.progress(),
        "replicas": [_replica(gateway, load) for load in loads],
    }
    return json_response(body, 200 if loads else 503)


async def metrics(request: web.Request) -> web.StreamResponse:
    """`GET /metrics`: Prometheus' text format."""
    gateway = request.app[GATEWAY]
    _refresh(gateway)
    return web.Response(
        body=gateway.runtime.metrics.exposition(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


def _replica(gateway: Gateway, load: ReplicaLoad) -> dict[str, Any]:
    record, now = gateway.runtime.outlier_record(load.replica_id), gateway.runtime.clock()
    return {
        "id": load.replica_id,
        "model": load.model,
        "running": load.running,
        "state": record.state(now),
        "ejected_for": record.reason,
        "next_trial_s": round(max(0.0, record.until - now), 3) if record.reason else None,
    }


def _alias_facts(gateway: Gateway, known: tuple[ModelFacts, ...]) -> ModelFacts:
    catalog = gateway.runtime.catalog
    serving = [facts for facts in known if Task.COMPLETION in catalog.tasks_of(facts.name)]
    return (serving or list(known))[0]


def _entry(gateway: Gateway, facts: ModelFacts, name: str) -> dict[str, Any]:
    catalog = gateway.runtime.catalog
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "cato",
        "root": facts.name,
        "max_model_len": facts.max_model_len,
        "cato": {
            "tasks": list(catalog.tasks_of(facts.name)),
            "max_prompt_tokens": max_prompt_tokens(facts),
            "chars_per_token": round(catalog.ratio(facts.name).mean, 2),
            "fim_order": _fim_order(facts),
            "note": facts.fim.reason,
        },
    }


def _fim_order(facts: ModelFacts) -> str | None:
    """The order that prompts are laid out in; None for a model that is served prefix-only."""
    return facts.fim.format.orders[0] if facts.fim.format else None


def _refresh(gateway: Gateway) -> None:
    """Gauges are read off the ledger when somebody looks."""
    runtime = gateway.runtime
    metrics = runtime.metrics
    gauges = (metrics.running, metrics.others, metrics.outstanding, metrics.replicas)
    for gauge in (*gauges, metrics.waiting):
        gauge.clear()
    for load in runtime.replicas():
        metrics.running.labels(load.replica_id).set(load.running)
        metrics.others.labels(load.replica_id).set(load.others)
        metrics.outstanding.labels(load.replica_id).set(load.outstanding_tokens)
        metrics.replicas.labels(load.model).inc()
    for facts in runtime.catalog.models():
        metrics.waiting.labels(facts.name).set(runtime.waiting(facts.name))
