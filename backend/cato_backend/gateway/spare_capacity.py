"""How many more sessions the replicas would take, by what they did in the last minutes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from cato_backend.runtime.recent import WINDOW_S, RecentClass
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.headers import Task

_FEWEST = 100
"""Whole answers in the window; fewer say nothing about more sessions."""
_FULL = 0.7
"""Share of the slots that is taken in the mean: above it, requests of usual arrivals queue."""
_GOAL = 0.95
_MOST_TIMES = 10
"""Of today's sessions: what lies beyond was never seen."""


def spare_capacity(
    sessions: int, replicas: Iterable[ReplicaLoad], recent: Mapping[Task, RecentClass]
) -> dict[str, Any]:
    """Return the sessions seen, the mean share of slots taken, and how many more would fit.

    An upper estimate: it takes sessions to ask as those do that were seen, and the time of an
    answer not to grow with the number beside it. None where nothing can be said.
    """
    slots = sum(load.slots for load in replicas if not load.draining)
    answers = sum(sum(seen.met) for seen in recent.values())
    # Little's law: the seconds on replicas in a window, by its length, are the mean number there.
    busy = sum(seen.busy_s for seen in recent.values()) / WINDOW_S / slots if slots else 0.0
    more, note = _more(sessions, busy, answers, _worst(recent))
    return {
        "sessions": sessions,
        "slots": slots,
        "busy": round(busy, 4),
        "more_sessions": more,
        "note": note,
    }


def _worst(recent: Mapping[Task, RecentClass]) -> float:
    """Return the lowest goodput of a class with enough requests."""
    enough = (seen.goodput for seen in recent.values() if sum(seen.wanted) >= _FEWEST)
    return min((goodput for goodput in enough if goodput is not None), default=1.0)


def _more(sessions: int, busy: float, answers: int, goodput: float) -> tuple[int | None, str]:
    if answers < _FEWEST or not sessions or not busy:
        return None, f"fewer than {_FEWEST} answers in the last minutes: nothing can be said"
    if goodput < _GOAL:
        return 0, f"a class is at {goodput:.1%} goodput: no room while it is below {_GOAL:.0%}"
    fits = math.floor(round(sessions * (_FULL / busy - 1), 6))
    if fits > _MOST_TIMES * sessions:
        return _MOST_TIMES * sessions, "at least so many; more was never seen here"
    return max(0, fits), "an upper estimate, by slots; `cato plan` computes with deadlines"
