"""An engine's log: a file that keeps the newest part of what was printed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

LOG_LIMIT_BYTES = 8 * 1024 * 1024


class BoundedLog:
    """A file that keeps the newest part: at the limit it becomes `.1` and begins anew."""

    def __init__(self, path: Path, limit: int = LOG_LIMIT_BYTES) -> None:
        self._path = path
        self._limit = limit
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            path.replace(_previous(path))
        self._file = self._open()

    def __enter__(self) -> BoundedLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        """Appends, at once visible to readers."""
        if self._file.tell() + len(data) > self._limit:
            self._file.close()
            self._path.replace(_previous(self._path))
            self._file = self._open()
        self._file.write(data)

    def _open(self) -> BinaryIO:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        return os.fdopen(descriptor, "wb", buffering=0)


def _previous(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")
