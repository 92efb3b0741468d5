"""Feedback on disk: JSON lines, appended, bounded by one rotation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import orjson


class FeedbackStore:
    """The newest `limit` to twice `limit` bytes of feedback, oldest first.

    One process writes. Lines of each tenant are told apart by a hash of its token.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit

    def add(self, tenant: str, entry: dict[str, Any]) -> None:
        """Appends one line. Raises OSError."""
        line = orjson.dumps({"tenant": tenant, **entry}) + b"\n"
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._path, flags, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            if file.tell() + len(line) <= self._limit:
                file.write(line)
                return
        self._path.replace(self._older)
        with os.fdopen(os.open(self._path, flags, 0o600), "ab", buffering=0) as file:
            file.write(line)

    def of(self, tenant: str) -> bytes:
        """The tenant's own lines, without its hash. Raises OSError."""
        return b"".join(self._own_lines(tenant))

    @property
    def _older(self) -> Path:
        return self._path.with_name(f"{self._path.name}.1")

    def _own_lines(self, tenant: str) -> Iterator[bytes]:
        for path in (self._older, self._path):
            if not path.exists():
                continue
            for line in path.read_bytes().splitlines():
                entry = _entry(line)
                if entry.pop("tenant", None) == tenant:
                    yield orjson.dumps(entry) + b"\n"


def _entry(line: bytes) -> dict[str, Any]:
    """A line that a crash cut short is nobody's."""
    try:
        value: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
