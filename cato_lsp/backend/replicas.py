"""What a backend says of its replicas, in `/health`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

UP, DOWN, FAILED = "up", "down", "failed"


@dataclass(frozen=True, slots=True)
class ReplicaReport:
    """One replica. Texts are empty where the backend does not tell."""

    name: str
    state: str
    model: str = ""
    since: str = ""
    """When it came into this state, as ISO 8601 writes it."""
    reason: str = ""
    remedy: str = ""


def read_replicas(health: object) -> tuple[ReplicaReport, ...]:
    """From the body of `/health`; none where it is not that of CATO's backend."""
    body = cast("Mapping[str, object]", health) if isinstance(health, dict) else {}
    listed = body.get("replicas")
    entries = cast("list[object]", listed) if isinstance(listed, list) else []
    return tuple(
        _report(cast("Mapping[str, object]", entry)) for entry in entries if isinstance(entry, dict)
    )


def _report(entry: Mapping[str, object]) -> ReplicaReport:
    name, state, *rest = (
        str(entry.get(field) or "")
        for field in ("id", "state", "model", "since", "reason", "remedy")
    )
    return ReplicaReport(name, state or UP, *rest)
