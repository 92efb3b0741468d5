"""One backend per user is the one that editors find: the holder of this lock."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cato_backend.wire.discovery import election_lock_path


@contextmanager
def elected(path: Path | None = None) -> Generator[bool]:
    """Whether this process is the one, for as long as the block lasts.

    The kernel frees the lock when the process dies, however it dies. Children do not inherit it.
    """
    path = path or election_lock_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
