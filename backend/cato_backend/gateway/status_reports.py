"""Reports on the server's state, replicas and GPUs; for other people without the server's paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from cato_backend.fleet.engine_limits import step_limits
from cato_backend.fleet.inventory import GpuReport, Inventory
from cato_backend.fleet.profiles import summary
from cato_backend.fleet.states import ReplicaPhase, ReplicaStatus, SourceStatus
from cato_backend.gateway.state import Gateway
from cato_backend.scheduling import ReplicaLoad

_GB = 1e9

_PATH = re.compile(r"""(?<![\w/:.~-])~?/(?!/)[^\s"'`,;:()|]*""")
"""An absolute path, or one in the home folder. The path of a URL follows its host, or a slash."""

_HIDDEN = "(a path on the server)"

_TEXTS = frozenset({"message", "reason", "remedy", "text", "trouble", "why"})
"""Fields of a report that are sentences for people."""


def status_of(gateway: Gateway) -> str:
    """Return whether requests are taken: `ok`, `starting` or `draining`.

    It is `ok` also where a request would start a replica: a client that waits for `ok` would
    otherwise never send that request.
    """
    is_up = any(load.asleep or not load.draining for load in gateway.runtime.replicas())
    is_up = is_up or gateway.scale_from_zero.rests()
    return "draining" if gateway.drain.is_draining else "ok" if is_up else "starting"


def what_is_wrong(gateway: Gateway) -> str:
    """Why no requests are taken, in one line for people."""
    if gateway.drain.is_draining:
        return f"shutting down: {gateway.connections.busy} requests under way"
    said = [f"{status.replica_id}: {status}" for status in gateway.statuses()]
    said += [f"{source.name}: {source}" for source in gateway.sources() if source.trouble]
    return " | ".join(said) or "no replica has been started yet"


def replica_report(gateway: Gateway, status: ReplicaStatus) -> dict[str, Any]:
    """Return one replica's state, its last change, and what was learned of its speed."""
    load = gateway.runtime.replica(status.replica_id)
    is_up = status.state is ReplicaPhase.UP
    return {
        "id": status.replica_id,
        "state": _state(gateway, status, load),
        "since": moment(status.since),
        "model": None if load is None else load.model,
        "running": 0 if load is None else load.running,
        "reason": "" if is_up else status.reason,
        "remedy": status.remedy,
        "law": None if load is None else summary(load, gateway.runtime.clock()),
        "step_limits": None if load is None else step_limits(load, gateway.config.targets),
        **_ejection(gateway, load),
    }


def source_report(status: SourceStatus) -> dict[str, Any]:
    """Return what is wrong with one source of replicas, if anything."""
    return {
        "name": status.name,
        "since": moment(status.since),
        "trouble": status.trouble,
        "remedy": status.remedy,
    }


def moment(seconds: float) -> str:
    """Return seconds since the epoch as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _state(gateway: Gateway, status: ReplicaStatus, load: ReplicaLoad | None) -> str:
    """Return the replica's state by the fleet; while it is up, what the scheduler does with it."""
    if status.state is not ReplicaPhase.UP or load is None:
        return status.state
    if load.draining:
        return "draining"
    record = gateway.runtime.outlier_record(load.replica_id)
    return record.state(gateway.runtime.clock()) if record.reason else status.state


def _ejection(gateway: Gateway, load: ReplicaLoad | None) -> dict[str, Any]:
    """Why a replica is ejected, and when it is tried again; empty values where it is not."""
    if load is None:
        return {"ejected_for": None, "next_trial_s": None}
    record, now = gateway.runtime.outlier_record(load.replica_id), gateway.runtime.clock()
    next_trial_s = round(max(0.0, record.until - now), 3) if record.reason else None
    return {"ejected_for": record.reason, "next_trial_s": next_trial_s}


def inventory_report(inventory: Inventory) -> dict[str, Any]:
    """Return the GPUs of the last look, and what a Ray cluster has of each resource."""
    return {"gpus": [_gpu(report) for report in inventory.gpus()], "ray": dict(inventory.ray())}


def _gpu(report: GpuReport) -> dict[str, Any]:
    gpu = report.gpu
    return {
        "gpu": gpu.label,
        "name": gpu.name,
        "memory_gb": round(gpu.total / _GB, 1),
        "free_gb": round(gpu.free / _GB, 1),
        "busy": gpu.busy,
        "others": report.others,
    }


def without_paths(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report with no path in its texts, however deep they are."""
    return {name: _shown(value, (name,)) for name, value in report.items()}


def _shown(value: object, place: tuple[str, ...]) -> object:
    """Return what is shown of a value; `place` holds the names that lead to it."""
    if isinstance(value, str):
        # A source of replicas is named by its file; a model's name is what requests must give.
        is_text = place[-1] in _TEXTS or place == ("sources", "name")
        return hide_paths(value) if is_text else value
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value).items()
        return {name: _shown(each, (*place, name)) for name, each in fields}
    if isinstance(value, list):
        return [_shown(each, place) for each in cast("list[object]", value)]
    return value


def hide_paths(text: str) -> str:
    """Return the text with a placeholder for each path."""
    return _PATH.sub(_HIDDEN, text)
