"""Requests as editors and agents send them; see README.md beside this file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cato_backend.wire.headers import Task


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """One request, and what the gateway is expected to find in it."""

    name: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    task: Task
    session: str


def client_requests() -> list[ClientRequest]:
    """All of them, by name."""
    return [_read(path) for path in sorted(Path(__file__).parent.glob("*.json"))]


def _read(path: Path) -> ClientRequest:
    value = json.loads(path.read_text(encoding="utf-8"))
    expected = value["expected"]
    return ClientRequest(
        name=path.stem,
        path=value["path"],
        headers=value["headers"],
        body=value["body"],
        task=Task(expected["task"]),
        session=expected["session"],
    )
