"""The audit log: changes with their author and time, and the requests of people by class."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from cato_backend.rotating_file import RotatingFile
from cato_backend.team.budgets import UsageKey, Used


class AuditLog:
    """JSON lines: the newest `limit` to twice `limit` bytes. Several programs may write to it.

    No line holds a token, a prompt or an answer.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit

    def changed(self, by: str, event: str, **what: object) -> None:
        """Record a change, and who made it. Raises OSError."""
        self._append([{"by": by, "event": event, **what}])

    def requested(self, amounts: Mapping[UsageKey, Used]) -> None:
        """Record the calls that have ended since the last such lines. Raises OSError."""
        self._append(
            [
                {
                    "event": "requests",
                    "person": key.person,
                    "team": key.team,
                    "task": key.task,
                    "requests": used.requests,
                    "output_tokens": used.output_tokens,
                    "engine_seconds": round(used.engine_seconds, 3),
                }
                for key, used in amounts.items()
            ]
        )

    def _append(self, entries: list[dict[str, object]]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._alone(), RotatingFile(self._path, self._limit, append=True) as file:
            for entry in entries:
                file.write(orjson.dumps({"at": at, **entry}) + b"\n")

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Keep other programs from writing, and from rotating the file meanwhile."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._path.with_name(self._path.name + ".lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def audit_file(store: Path) -> Path:
    """Return the audit log of a store: beside it."""
    return store.with_name(f"{store.stem}.audit.jsonl")
