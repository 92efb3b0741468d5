"""A clock that stands still while the engine waits for a core.

A machine that does other things too makes an engine on its CPU look slow by chance. Linux counts,
for each thread, how long it was ready to run but had no core; that time is taken out. What stays is
the engine's own time, on a core whose siblings and caches are as busy as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cato_backend.clock import monotonic

Clock = Callable[[], float]
"""Seconds since some moment."""
_LONGEST_LINE = 128


def engine_clock(engine_pid: int) -> Clock:
    """The clock of the engine with this process id, by the thread that has computed most.

    Plain monotonic time where the kernel keeps no such counts.
    """
    thread = max(_threads_of(engine_pid), key=_busy_ns, default=None)
    if thread is None:
        return monotonic
    statistics = os.open(thread / "schedstat", os.O_RDONLY)

    def now() -> float:
        waited_ns = int(os.pread(statistics, _LONGEST_LINE, 0).split()[1])
        return monotonic() - waited_ns / 1e9

    return now


def _threads_of(pid: int) -> list[Path]:
    """Threads of the process and of all that descend from it, with scheduling statistics."""
    family = [pid]
    for member in family:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            family += [int(child) for child in children.read_text().split()]
    threads = [thread for member in family for thread in Path(f"/proc/{member}/task").glob("*")]
    return [thread for thread in threads if (thread / "schedstat").exists()]


def _busy_ns(thread: Path) -> int:
    return int((thread / "schedstat").read_text().split()[0])
