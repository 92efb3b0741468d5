"""The small routes: cancel, models, health, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from cato_backend import __version__
from cato_backend.errors import NotFound
from cato_backend.fleet.engine_limits import step_limits
from cato_backend.fleet.profiles import profile_file, summary
from cato_backend.fleet.standing import ReplicaPhase, ReplicaStatus
from cato_backend.gateway.bodies import CancelBody
from cato_backend.gateway.hardware_targets import ModelTargets
from cato_backend.gateway.incoming import parse_json, validated
from cato_backend.gateway.responses import json_response
from cato_backend.gateway.state import DOCUMENT, GATEWAY, TENANT, Gateway, targets_of
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.facts import ModelFacts
from cato_backend.runtime.render import max_prompt_tokens
from cato_backend.runtime.task_terms import abilities_of
from cato_backend.scheduling import ReplicaLoad
from cato_backend.tasks.whole import NEEDED, useful_kinds
from cato_backend.wire.headers import ALIASES, TASK_ALIASES, Task
from cato_backend.wire.tasks import TaskKind


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
    aliases = [_alias_entry(gateway, alias) for alias in ALIASES] if known else []
    entries = [_entry(gateway, facts, facts.name) for facts in (*known, *catalog.adapters())]
    return json_response({"object": "list", "data": aliases + entries})


async def model(request: web.Request) -> web.StreamResponse:
    """`GET /v1/models/{name}`."""
    gateway = request.app[GATEWAY]
    name = request.match_info["name"]
    resolved = await gateway.runtime.catalog.resolve(name, Task.COMPLETION, 0)
    if name in ALIASES:
        return json_response(_alias_entry(gateway, name))
    return json_response(_entry(gateway, gateway.runtime.catalog.facts(resolved), name))


async def health(request: web.Request) -> web.StreamResponse:
    """`GET /health`: 200 while requests are taken, else 503; open to everybody."""
    gateway = request.app[GATEWAY]
    is_up = any(not load.draining for load in gateway.runtime.replicas())
    status = "draining" if gateway.drain.is_draining else "ok" if is_up else "starting"
    body: dict[str, Any] = {
        "status": status,
        "version": __version__,
        "message": "" if status == "ok" else _what_is_wrong(gateway),
        "replicas": [_replica(gateway, standing) for standing in gateway.standings()],
    }
    return json_response(body, 200 if status == "ok" else 503)


async def openapi(request: web.Request) -> web.StreamResponse:
    """`GET /openapi.json`: this interface as an OpenAPI 3.1 document; open to everybody."""
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
    _refresh(gateway)
    return web.Response(
        body=gateway.runtime.metrics.exposition(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


def _what_is_wrong(gateway: Gateway) -> str:
    """Why no requests are taken, in one line for people."""
    if gateway.drain.is_draining:
        return f"shutting down: {gateway.connections.busy} requests under way"
    said = [f"{standing.replica_id}: {standing}" for standing in gateway.standings()]
    return " | ".join(said) or "no replica has been started yet"


def _replica(gateway: Gateway, standing: ReplicaStatus) -> dict[str, Any]:
    """One replica's state, its last change, and what was learned of its speed."""
    load = gateway.runtime.replica(standing.replica_id)
    is_up = standing.state is ReplicaPhase.UP
    return {
        "id": standing.replica_id,
        "state": _state(gateway, standing, load),
        "since": datetime.fromtimestamp(standing.since, UTC).isoformat(timespec="milliseconds"),
        "model": None if load is None else load.model,
        "running": 0 if load is None else load.running,
        "reason": "" if is_up else standing.reason,
        "remedy": standing.remedy,
        "law": None if load is None else summary(load, gateway.runtime.clock()),
        "step_limits": None if load is None else step_limits(load, gateway.config.targets),
        **_ejection(gateway, load),
    }


def _state(gateway: Gateway, standing: ReplicaStatus, load: ReplicaLoad | None) -> str:
    """Return the replica's state by the fleet; while it is up, what the scheduler does with it."""
    if standing.state is not ReplicaPhase.UP or load is None:
        return standing.state
    if load.draining:
        return "draining"
    record = gateway.runtime.outlier_record(load.replica_id)
    return record.state(gateway.runtime.clock()) if record.reason else standing.state


def _ejection(gateway: Gateway, load: ReplicaLoad | None) -> dict[str, Any]:
    """Why a replica is ejected, and when it is tried again; empty values where it is not."""
    if load is None:
        return {"ejected_for": None, "next_trial_s": None}
    record, now = gateway.runtime.outlier_record(load.replica_id), gateway.runtime.clock()
    next_trial_s = round(max(0.0, record.until - now), 3) if record.reason else None
    return {"ejected_for": record.reason, "next_trial_s": next_trial_s}


def _alias_entry(gateway: Gateway, alias: str) -> dict[str, Any]:
    """Return an alias, described as the model that serves its task.

    An alias that stands for all tasks is described as the model for completions. Whether
    instructions are followed is told of the model for whole tasks.
    """
    catalog = gateway.runtime.catalog
    known, task = catalog.models(), TASK_ALIASES.get(alias)
    name = catalog.model_for(task or Task.COMPLETION)
    described = catalog.facts(name) if name in catalog else known[0]
    entry = _entry(gateway, described, alias)
    entry["cato"]["tasks"] = list(Task) if task is None else [task]
    asked = catalog.model_for(task or Task.SUMMARIZATION)
    if asked in catalog:
        entry["cato"] |= _instruct(catalog.facts(asked))
    kinds = [kind for kind in TaskKind if _is_useful(catalog, kind, task)]
    entry["cato"] |= _whole_tasks(kinds)
    return entry


def _entry(gateway: Gateway, facts: ModelFacts, name: str) -> dict[str, Any]:
    catalog = gateway.runtime.catalog
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "cato",
        "root": facts.name,
        "parent": facts.parent or None,
        "max_model_len": facts.max_model_len,
        "cato": {
            "tasks": list(catalog.tasks_of(facts.name)),
            "max_prompt_tokens": max_prompt_tokens(facts),
            "chars_per_token": round(catalog.ratio(facts.name).mean, 2),
            "fim_order": _fim_order(facts),
            "parameters": gateway.sizes.of_model(facts.model),
            "note": facts.fim.reason,
            "targets": _targets(gateway, name),
            **_instruct(facts),
            **_whole_tasks(useful_kinds(abilities_of(catalog, facts.name))),
        },
    }


def _targets(gateway: Gateway, name: str) -> dict[str, Any]:
    """Return what the classes promise where a client names no target."""
    return {task.value: _target(targets_of(gateway, name, task), task) for task in Task}


def _target(targets: ModelTargets, task: Task) -> dict[str, float]:
    """Return one class's target.

    `times`: of what is configured, because the hardware needs longer even without load.
    """
    target = targets.of(task)
    unit = "ttft_ms" if target.e2e_s is None else "e2e_ms"
    return {unit: round(target.budget_s * 1000), "times": targets.stretches[task].times}


def _instruct(facts: ModelFacts) -> dict[str, Any]:
    """Return whether whole tasks ask the model in a chat, and why."""
    return {
        "follows_instructions": facts.instruct.follows,
        "instruct_note": facts.instruct.reason,
    }


def _is_useful(catalog: Catalog, kind: TaskKind, task: Task | None) -> bool:
    """Return whether the alias, that of `task` or the general one, does this usefully."""
    name = catalog.model_for(task or kind.slo_class)
    return name in catalog and kind in useful_kinds(abilities_of(catalog, name))


def _whole_tasks(kinds: Sequence[TaskKind]) -> dict[str, Any]:
    """Return what `/v1/tasks` does usefully with the model, and what is needed for the rest."""
    note = "" if len(kinds) == len(TaskKind) else NEEDED
    return {"whole_tasks": list(kinds), "whole_tasks_note": note}


def _fim_order(facts: ModelFacts) -> str | None:
    """Return the order of prompts; None for a model that is served prefix-only."""
    return facts.fim.format.orders[0] if facts.fim.format else None


def _refresh(gateway: Gateway) -> None:
    """Gauges are read off the ledger when somebody looks."""
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
    metrics.tasks.set(len(asyncio.all_tasks()))
    for facts in runtime.catalog.models():
        metrics.waiting.labels(facts.name).set(runtime.waiting(facts.name))
