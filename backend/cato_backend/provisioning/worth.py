"""The worth of a replica's memory, and which replica gives up memory for another. Pure functions.

The measure is goodput: requests that meet their target, for each GB and second of GPU memory. What
counts is what is asked (demand), how soon it must be answered (latency class), how long it takes
(length), and how long the replica takes to come back (load or wake time).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

_GB = 1e9
HORIZON_S = 60.0
"""How long a replica is assumed to serve once it has the memory."""
MARGIN = 1.25
"""An exchange is worth it where it gains more than this many times what it loses."""

FIRST_LOAD = 0.01
"""Requests that a first load is worth where nothing is asked: later the replica only wakes."""


@dataclass(frozen=True, slots=True)
class ClassDemand:
    """Demand on a model in one class. Times in seconds."""

    rate: float
    """Requests per second."""
    budget_s: float
    """From arrival to deadline."""
    service_s: float = 0.0
    """From dispatch to what the deadline is about: the first token, or the last."""
    waiting: int = 0
    """Requests in the queue."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A replica that holds memory, or wants to."""

    replica_id: str
    bytes_held: int
    """The memory that it releases."""
    return_s: float
    """Seconds until it takes requests again: it wakes, or loads."""
    demands: tuple[ClassDemand, ...] = ()
    """Its share of what is asked of its model."""
    is_first: bool = False
    """Whether it would be the first of a model that can sleep afterwards."""
    gpus: int = 1
    """GPUs that it is spread over, with the same share of its memory on each."""

    @property
    def bytes_on_each(self) -> int:
        """The memory that it releases on each of its GPUs."""
        return self.bytes_held // self.gpus


@dataclass(frozen=True, slots=True)
class Shortage:
    """The memory of one GPU that a claimant lacks."""

    lacking: int
    """Bytes."""
    residents: Sequence[Holding]
    """Those on this GPU that may leave."""


def kept_value(holding: Holding, horizon_s: float = HORIZON_S) -> float:
    """Return the requests that are met within the horizon because a replica stays in service.

    These are those that it serves, and those that would be missed while it returns.
    """
    served = sum(each.rate * horizon_s + each.waiting for each in holding.demands)
    return served + _missed_on_return(holding, horizon_s)


def gained_value(holding: Holding, horizon_s: float = HORIZON_S) -> float:
    """Return the requests that a replica meets within the horizon if it begins to return now."""
    seconds = max(0.0, horizon_s - holding.return_s)
    served = sum(
        each.rate * seconds + (each.waiting if _can_wait(each, holding.return_s) else 0)
        for each in holding.demands
    )
    return served + (FIRST_LOAD if holding.is_first else 0.0)


def density(holding: Holding, horizon_s: float = HORIZON_S) -> float:
    """Return the requests that a GB and second of a replica in service brings."""
    return kept_value(holding, horizon_s) / (max(1, holding.bytes_held) / _GB * horizon_s)


def choose_evicted(shortages: Sequence[Shortage], claimant: Holding) -> tuple[str, ...]:
    """Return the replicas that are to leave so that the claimant lacks nothing on any GPU.

    Those whose memory brings least go first, and none goes without need. None goes at all where
    they bring about as much as the claimant will.
    """
    horizon_s = HORIZON_S + claimant.return_s
    leaving: dict[str, Holding] = {}
    for shortage in shortages:
        found = _fewest(shortage, leaving)
        if found is None:
            return ()
        leaving |= {each.replica_id: each for each in found}
    lost = sum(kept_value(each, horizon_s) for each in leaving.values())
    if gained_value(claimant, horizon_s) <= MARGIN * lost:
        return ()
    return tuple(leaving)


def _fewest(shortage: Shortage, gone: Mapping[str, Holding]) -> list[Holding] | None:
    """Return who leaves one GPU beside those that leave it already; None where it is too little."""
    lacking = shortage.lacking - _freed([r for r in shortage.residents if r.replica_id in gone])
    staying = (each for each in shortage.residents if each.replica_id not in gone)
    leaving: list[Holding] = []
    for resident in sorted(staying, key=lambda each: (density(each), each.replica_id)):
        if _freed(leaving) >= lacking:
            break
        leaving.append(resident)
    if _freed(leaving) < lacking:
        return None
    for resident in reversed(leaving.copy()):
        if _freed(leaving) - resident.bytes_on_each >= lacking:
            leaving.remove(resident)
    return leaving


def _freed(leaving: Sequence[Holding]) -> int:
    return sum(each.bytes_on_each for each in leaving)


def _can_wait(demand: ClassDemand, wait_s: float) -> bool:
    return wait_s + demand.service_s <= demand.budget_s


def _missed_on_return(holding: Holding, horizon_s: float) -> float:
    """Return the requests that are missed while a replica returns for the first of them.

    Later requests wait for less time: of each class, those of the first `late_s` seconds are late.
    """
    total = sum(each.rate for each in holding.demands)
    if not total or not holding.return_s:
        return 0.0
    missed = 0.0
    for each in holding.demands:
        first = 0.0 if _can_wait(each, holding.return_s) else each.rate / total
        late_s = holding.return_s + each.service_s - each.budget_s
        missed += first + each.rate * min(max(late_s, 0.0), holding.return_s)
    return (1 - exp(-total * horizon_s)) * missed
