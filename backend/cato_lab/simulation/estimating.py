"""The estimate with which a search begins, from a single replica's engine model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile

from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.capacity import CapacityCurve, measure
from cato_backend.provisioning.pool import DemandKind
from cato_backend.wire.headers import Task
from cato_lab.workloads.arrival import BLOCK_TOKENS, Arrival, Workload

MOST_REPLICAS = 512

SAMPLE = 3000
"""Requests that stand for the demand in the estimate."""
_MEASURED = 800
"""Requests at each load of the estimate."""


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
