"""Whether a process still runs, and is not another one that was given its id since."""

from __future__ import annotations

import sys
from pathlib import Path

_ENDED = ("Z", "X")
_STATE, _START = 0, 19
"""Fields of `/proc/PID/stat`, counted from the one after the name."""


def start_time(pid: int) -> int | None:
    """Return when a process started, in the kernel's ticks since boot.

    None where no such process runs, and on systems other than Linux.
    """
    fields = _status(pid)
    return None if not fields or fields[_STATE] in _ENDED else int(fields[_START])


def is_zombie(pid: int) -> bool:
    """Return whether the process ended and its parent has not looked yet; only Linux tells."""
    fields = _status(pid)
    return bool(fields) and fields[_STATE] in _ENDED


def still_runs(pid: int, started: int | None) -> bool:
    """Return whether the process that started then still runs; True where no system tells."""
    if sys.platform != "linux":
        return True
    return started is not None and start_time(pid) == started


def _status(pid: int) -> list[str]:
    """Return the fields of `/proc/PID/stat` after the name; none where it cannot be read."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    # The name in parentheses may hold anything, parentheses included.
    return status.rpartition(")")[2].split()
