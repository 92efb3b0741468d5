"""A file that keeps the newest part of what is written to it."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self


class RotatingFile:
    """A file of at most `limit` bytes. The previous one has the suffix `.1`.

    Only the user may read it. Not for several writers at once.
    """

    def __init__(
        self, path: Path, limit: int, *, append: bool = False, buffered: bool = False
    ) -> None:
        """Create missing folders.

        `append`: continues with an existing file, instead of moving it to `.1`. `buffered`: `flush`
        makes what was written visible. Raises OSError.
        """
        self._path = path
        self._limit = limit
        self._buffering = -1 if buffered else 0
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_file() and not append:
            path.replace(previous(path))
        self._file = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def has_room(self, size: int) -> bool:
        """Return whether `size` more bytes stay within the limit."""
        return self._file.tell() + size <= self._limit

    def rotate(self) -> None:
        """Move the file to `.1` and begin an empty one. Raises OSError."""
        self._file.close()
        self._path.replace(previous(self._path))
        self._file = self._open()

    def write(self, data: bytes) -> None:
        """Append; rotate before, if there is no room. Raises OSError."""
        if self._file.tell() and not self.has_room(len(data)):
            self.rotate()
        self._file.write(data)

    def flush(self) -> None:
        """Make what was written visible to readers. Raises OSError."""
        self._file.flush()

    def close(self) -> None:
        """Close the file. Raises OSError."""
        self._file.close()

    def _open(self) -> BinaryIO:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "ab", self._buffering)


def previous(path: Path) -> Path:
    """Return the path of the file before."""
    return path.with_name(f"{path.name}.1")
