"""How long a local engine was ready to run but had no core, as Linux counts it for each thread.

A machine that does other things too makes an engine on its CPU look slow by chance. What stays
without these waits is the engine's own time, on a core whose siblings and caches are as busy as
they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cato_backend.clock import Clock, monotonic

_LONGEST_LINE = 128
_LEAST_S = 1.0
"""Of computing and waiting, for a share to tell something."""
NOTABLE_SHARE = 0.1
"""Share of its time that an engine waits for a core, from which people are told of it."""


class ThreadTimes(NamedTuple):
    """What one thread has done so far, in nanoseconds."""

    computed_ns: int
    waited_ns: int

    @property
    def wanted_ns(self) -> int:
        """Return how long it has computed or could have."""
        return self.computed_ns + self.waited_ns

    def since(self, before: ThreadTimes) -> ThreadTimes:
        """Return what was added to the earlier times."""
        return ThreadTimes(self.computed_ns - before.computed_ns, self.waited_ns - before.waited_ns)


def engine_clock(engine_pid: int) -> Clock:
    """Return the clock of the engine with this process id, by the thread that has computed most.

    It stands still while that thread waits for a core. Plain monotonic time where the kernel keeps
    no such counts.
    """
    times = thread_times(engine_pid)
    thread = max(times, key=lambda thread: times[thread].computed_ns, default=None)
    if thread is None:
        return monotonic
    statistics = os.open(thread / "schedstat", os.O_RDONLY)

    def now() -> float:
        waited_ns = int(os.pread(statistics, _LONGEST_LINE, 0).split()[1])
        return monotonic() - waited_ns / 1e9

    return now


def thread_times(pid: int) -> dict[Path, ThreadTimes]:
    """Return the times of the threads of a process and of its descendants, by thread.

    Empty where the process is gone, or the kernel keeps no such counts.
    """
    family = [pid]
    for member in family:
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            with suppress(OSError):
                family += [int(child) for child in children.read_text().split()]
    found: dict[Path, ThreadTimes] = {}
    for thread in (each for member in family for each in Path(f"/proc/{member}/task").glob("*")):
        with suppress(OSError):  # A thread may end meanwhile.
            computed, waited, _ = (thread / "schedstat").read_text().split()
            found[thread] = ThreadTimes(int(computed), int(waited))
    return found


class CoreWaits:
    """The share of its time that an engine waits for a core.

    `read`: the times of its threads so far.
    """

    def __init__(self, read: Callable[[], dict[Path, ThreadTimes]]) -> None:
        self._read = read
        self._before = read()
        self._share: float | None = None

    def share(self) -> float | None:
        """Return the share of the time since the last call, from 0 to 1, of the busiest thread.

        It is that of an earlier call while the engine has done too little since then; None before
        the first that tells something.
        """
        now = self._read()
        none = ThreadTimes(0, 0)
        added = [times.since(self._before.get(thread, none)) for thread, times in now.items()]
        busiest = max(added, key=lambda times: times.wanted_ns, default=none)
        if busiest.wanted_ns >= _LEAST_S * 1e9:
            self._before = now
            self._share = busiest.waited_ns / busiest.wanted_ns
        return self._share
