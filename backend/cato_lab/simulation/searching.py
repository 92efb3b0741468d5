"""The search for the fewest replicas, or the most people, by trying numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from math import ceil

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.capacity import CapacityCurve, measure
from cato_backend.provisioning.pool import DemandKind
from cato_backend.wire.headers import Task
from cato_lab.simulation.sizing import Candidate
from cato_lab.workloads.arrival import BLOCK_TOKENS, Arrival, Workload

MOST_REPLICAS = 512

SAMPLE = 3000
"""Requests that stand for the demand in the estimate."""

_MEASURED = 800
"""Requests at each load of the estimate."""

_STEP_SHARE = 1 / 6
"""Of the number where a search begins: how far its first step goes."""

_PEOPLE_TOLERANCE = 0.03


def estimate(
    workload: Workload, profile: Profile, goodput: float, requests: int = _MEASURED
) -> int:
    """Return the smallest count whose single replicas would keep every class near its reach.

    With an ideal router and the share `goodput` of what an idle replica meets.
    """
    sample = _sample(workload)
    rate = len(sample) / max(1e-9, sample[-1].time - sample[0].time)
    curve = _whole(measure(profile, list(kinds_of(sample)), requests))
    goals = {task: goodput * most for task, most in curve.at(0.0).items()}
    counts = range(1, MOST_REPLICAS + 1)
    return next((n for n in counts if _meets(curve.at(rate / n), goals)), MOST_REPLICAS)


def kinds_of(arrivals: Iterable[Arrival]) -> Iterator[DemandKind]:
    """Yield what each leaves to be computed with a warm prefix cache.

    The last prompt of its document, or of its task, is still in it.
    """
    last: dict[str, tuple[int, ...]] = {}
    for arrival in arrivals:
        key = arrival.document or arrival.task.value
        cached = BLOCK_TOKENS * _common(last.get(key, ()), arrival.blocks)
        last[key] = arrival.blocks
        yield DemandKind(
            task=arrival.task,
            prompt_tokens=max(1, arrival.prompt_tokens - cached),
            output_tokens=arrival.output_tokens,
            target=arrival.target,
            left_s=None if arrival.counts else arrival.cancel_after_s,
        )


def _sample(workload: Workload) -> Sequence[Arrival]:
    return list(islice(workload.arrivals(1), SAMPLE))


def _whole(measuring: Iterator[CapacityCurve | None]) -> CapacityCurve:
    return next(curve for curve in measuring if curve is not None)


def _meets(found: Mapping[Task, float], goals: Mapping[Task, float]) -> bool:
    return all(found[task] >= goals[task] for task in found if task in goals)


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def fewest_replicas(start: int, judge: Callable[[int], Candidate]) -> list[Candidate]:
    """Find the smallest number of replicas that is enough, from `start` on.

    Returns all counts that were tried, ascending; the largest that is not enough is among them.
    """
    found: dict[int, Candidate] = {}

    def is_too_few(count: int) -> bool:
        found[count] = judge(count)
        return not found[count].enough

    _largest(start, MOST_REPLICAS, 0.0, is_too_few)
    return [found[number] for number in sorted(found)]


def most_people(start: int, most: int, judge: Callable[[int], Candidate]) -> list[Candidate]:
    """Find the largest number of people, at most `most`, for whom a fleet is enough.

    It is found to within `_PEOPLE_TOLERANCE`. Returns all numbers that were tried, ascending.
    """
    found: dict[int, Candidate] = {}

    def are_served(people: int) -> bool:
        found[people] = judge(people)
        return found[people].enough

    _largest(start, most, _PEOPLE_TOLERANCE, are_served)
    return [found[number] for number in sorted(found)]


def _largest(start: int, most: int, tolerance: float, holds: Callable[[int], bool]) -> None:
    """Try numbers from 1 to `most` until the largest for which `holds` is known.

    Steps from `start` on double until the number lies between two tried ones; then these are
    halved. `holds` is taken for true up to some number, and for false beyond it.
    """
    low, high = 0, most + 1
    number = min(max(1, start), most)
    step = max(1, round(number * _STEP_SHARE))
    while high - low > max(1, round(low * tolerance)):
        if holds(number):
            low = number
        else:
            high = number
        if low and high <= most:
            number = (low + high) // 2
            continue
        number = max(1, high - step) if high <= most else min(most, low + step)
        step *= 2


def slice_of(developers: int, most: int) -> tuple[int, int]:
    """Return the people in one slice of a large team, and the number of slices."""
    parts = max(1, ceil(developers / most))
    return ceil(developers / parts), parts
