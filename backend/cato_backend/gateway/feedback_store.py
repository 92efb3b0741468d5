"""Feedback on disk: JSON lines, appended, bounded by one rotation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import orjson

from cato_backend.rotating_file import RotatingFile, previous


class FeedbackStore:
    """The newest `limit` to twice `limit` bytes of feedback, oldest first.

    One process writes. Lines of each tenant are told apart by a hash of its token.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit

    def add(self, tenant: str, entry: dict[str, Any]) -> None:
        """Append one line. Raises OSError."""
        line = orjson.dumps({"tenant": tenant, **entry}) + b"\n"
        with RotatingFile(self._path, self._limit, append=True) as file:
            file.write(line)

    def of(self, tenant: str) -> bytes:
        """Return the tenant's own lines, without its hash. Raises OSError."""
        return b"".join(self._own_lines(tenant))

    def _own_lines(self, tenant: str) -> Iterator[bytes]:
        for path in (previous(self._path), self._path):
            if not path.exists():
                continue
            for line in path.read_bytes().splitlines():
                entry = _entry(line)
                if entry.pop("tenant", None) == tenant:
                    yield orjson.dumps(entry) + b"\n"


def _entry(line: bytes) -> dict[str, Any]:
    """Return the entry of a line; one that a crash cut short belongs to nobody."""
    try:
        value: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
