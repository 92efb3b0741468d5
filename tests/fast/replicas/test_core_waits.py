"""How long an engine had no core, by the counts of its threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cato_backend.replicas.core_waits import CoreWaits, ThreadTimes, thread_times

SECOND = 10**9


def waits(*readings: dict[str, tuple[float, float]]) -> CoreWaits:
    """Of an engine whose threads show these seconds of computing and of waiting, one by one."""
    pending: Iterator[dict[Path, ThreadTimes]] = iter(
        {
            Path(name): ThreadTimes(*(round(each * SECOND) for each in times))
            for name, times in reading.items()
        }
        for reading in readings
    )
    return CoreWaits(lambda: next(pending))


def test_it_is_that_of_the_busiest_thread_since_the_last_look() -> None:
    found = waits(
        {"a": (5, 5), "b": (50, 0)},
        {"a": (6, 8), "b": (51, 0)},
        {"a": (8, 8), "b": (51, 0)},
    )
    assert found.share() == 0.75
    assert found.share() == 0.0


def test_a_thread_that_is_new_counts_from_its_start() -> None:
    assert waits({"a": (1, 0)}, {"a": (1, 0), "b": (2, 2)}).share() == 0.5


def test_too_little_tells_nothing_until_it_adds_up() -> None:
    found = waits({"a": (0, 0)}, {"a": (0.5, 0.2)}, {"a": (0.8, 0.8)}, {"a": (1.0, 1.2)}, {})
    assert found.share() is None
    assert found.share() == 0.5
    assert found.share() == 0.5
    assert found.share() == 0.5, "an engine that has ended keeps what it showed"


def test_the_kernels_counts_are_read_where_it_keeps_them() -> None:
    keeps = Path("/proc/self/schedstat").exists()
    pid = os.getpid()
    own = [times for path, times in thread_times(pid).items() if path.name == str(pid)]
    assert len(own) == keeps
    assert all(times.computed_ns > 0 for times in own)


def test_of_a_process_that_is_gone_there_are_none() -> None:
    assert thread_times(2**22 + 1) == {}
