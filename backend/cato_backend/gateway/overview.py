"""The overview of the server: its state and its last minutes, as JSON values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cato_backend import __version__
from cato_backend.fleet.profiles import prompt_s, token_s
from cato_backend.gateway.state import Gateway
from cato_backend.gateway.status_reports import (
    inventory_report,
    moment,
    replica_report,
    status_of,
    what_is_wrong,
)
from cato_backend.requests import Request
from cato_backend.runtime.recent import SLICE_S, WINDOW_S, RecentClass
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.headers import Task

_FEWEST = 100
"""Least number of complete answers in the window for an estimate of further sessions."""

_FULL = 0.7
"""Share of the slots that is taken on average: above it, requests of usual arrivals queue."""

_GOAL = 0.95

_MOST_TIMES = 10
"""Of today's sessions: what lies beyond was never seen."""

_MOST_EVENTS = 100


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


def overview(gateway: Gateway) -> dict[str, Any]:
    """Return the present state and the last minutes. No code, no token, no request's name."""
    runtime = gateway.runtime
    recent = runtime.recent.classes()
    status = status_of(gateway)
    return {
        "object": "overview",
        "version": __version__,
        "time": moment(gateway.now()),
        "uptime_s": round(runtime.clock() - gateway.began, 1),
        "status": status,
        "message": "" if status == "ok" else what_is_wrong(gateway),
        "window_s": WINDOW_S,
        "slice_s": SLICE_S,
        "models": [_model(gateway, facts.name) for facts in runtime.catalog.models()],
        "replicas": _replicas(gateway),
        "inventory": inventory_report(gateway.inventory),
        "classes": _classes(gateway, recent),
        "late": _late(gateway),
        "late_causes": {str(k): n for k, n in runtime.recent.late_causes().items()},
        "events": [
            {"at": moment(item.at), "text": item.text}
            for item in gateway.news.newest()[:_MOST_EVENTS]
        ],
        "capacity": spare_capacity(runtime.recent.sessions(), runtime.replicas(), recent),
    }


def _model(gateway: Gateway, name: str) -> dict[str, Any]:
    runtime = gateway.runtime
    loads = [load for load in runtime.replicas() if load.model == name]
    return {
        "name": name,
        "load": round(runtime.load(name), 3),
        "waiting": runtime.waiting(name),
        "running": sum(load.running for load in loads),
        "replicas_up": sum(not load.draining for load in loads),
        "replicas_asleep": sum(load.asleep for load in loads),
    }


def _replicas(gateway: Gateway) -> list[dict[str, Any]]:
    return [
        replica_report(gateway, status) | _occupation(gateway.runtime.replica(status.replica_id))
        for status in gateway.statuses()
    ]


def _occupation(load: ReplicaLoad | None) -> dict[str, Any]:
    """Return what a replica has in hand, and what its profile says beside the learned law."""
    if load is None:
        return {"slots": 0, "others": 0, "outstanding_tokens": 0, "profile": None}
    return {
        "slots": load.slots,
        "others": load.others,
        "outstanding_tokens": load.outstanding_tokens,
        "profile": _profile(load),
    }


def _profile(load: ReplicaLoad) -> dict[str, Any] | None:
    if load.profile is None:
        return None
    law = load.profile.law
    return {
        "hardware": load.profile.hardware,
        "token_ms": round(1e3 * token_s(law), 2),
        "prompt_1k_ms": round(1e3 * prompt_s(law), 1),
    }


def _classes(gateway: Gateway, recent: Mapping[Task, RecentClass]) -> list[dict[str, Any]]:
    runtime = gateway.runtime
    waiting = runtime.waiting_requests()
    running = Counter[Task]()
    for load in runtime.replicas():
        running.update(load.running_by_task)
    return [
        {
            "task": task,
            **_queue([each for each in waiting if each.task is task], runtime.clock()),
            "running": running[task],
            **_recently(seen),
        }
        for task, seen in recent.items()
    ]


def _queue(waiting: Sequence[Request], now: float) -> dict[str, Any]:
    oldest = min((each.arrival for each in waiting), default=now)
    return {"waiting": len(waiting), "longest_wait_ms": round(1e3 * (now - oldest), 1)}


def _recently(seen: RecentClass) -> dict[str, Any]:
    return {
        "outcomes": seen.outcomes,
        "goodput": None if seen.goodput is None else round(seen.goodput, 4),
        "latency_ms": {
            name.removesuffix("_s"): {share: round(1e3 * value, 1) for share, value in of.items()}
            for name, of in seen.quantiles.items()
        },
        "wanted": seen.wanted,
        "met": seen.met,
    }


def _late(gateway: Gateway) -> list[dict[str, Any]]:
    runtime = gateway.runtime
    behind = gateway.now() - runtime.clock()
    return [
        {
            "at": moment(call.ended_at + behind),
            "task": call.task,
            "model": call.model,
            "replica": call.replica_id,
            "cause": call.lateness.cause,
            "why": call.lateness.text,
        }
        for call in runtime.recent.late_calls()
    ]
