"""What the server tells of itself and of its replicas: states, reasons, remedies, learned laws."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cato_backend.fleet.engine_limits import step_limits
from cato_backend.fleet.profiles import summary
from cato_backend.fleet.sources import SourceStatus
from cato_backend.fleet.standing import ReplicaPhase, ReplicaStatus
from cato_backend.gateway.state import Gateway
from cato_backend.scheduling import ReplicaLoad


def status_of(gateway: Gateway) -> str:
    """Return whether requests are taken: `ok`, `starting` or `draining`.

    It is `ok` also where a request would start a replica: a client that waits for `ok` would
    otherwise never send that request.
    """
    is_up = any(load.asleep or not load.draining for load in gateway.runtime.replicas())
    is_up = is_up or gateway.on_request.rests()
    return "draining" if gateway.drain.is_draining else "ok" if is_up else "starting"


def what_is_wrong(gateway: Gateway) -> str:
    """Why no requests are taken, in one line for people."""
    if gateway.drain.is_draining:
        return f"shutting down: {gateway.connections.busy} requests under way"
    said = [f"{standing.replica_id}: {standing}" for standing in gateway.standings()]
    said += [f"{source.name}: {source}" for source in gateway.sources() if source.trouble]
    return " | ".join(said) or "no replica has been started yet"


def replica_report(gateway: Gateway, standing: ReplicaStatus) -> dict[str, Any]:
    """Return one replica's state, its last change, and what was learned of its speed."""
    load = gateway.runtime.replica(standing.replica_id)
    is_up = standing.state is ReplicaPhase.UP
    return {
        "id": standing.replica_id,
        "state": _state(gateway, standing, load),
        "since": moment(standing.since),
        "model": None if load is None else load.model,
        "running": 0 if load is None else load.running,
        "reason": "" if is_up else standing.reason,
        "remedy": standing.remedy,
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
