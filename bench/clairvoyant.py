"""A scaling rule that knows what will come: a bound on what forecasts can win."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from cato_backend.provisioning import FleetState, Wanted
from cato_backend.provisioning.rules.base import IgnoresTraffic

BIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Foresight:
    """What is taken to be worth serving."""

    per_replica: float
    """Requests per second that a replica serves in time."""
    worth: float
    """Replica-seconds that one filled with requests is worth: above it what is asked for is left
    unserved."""


def schedule(
    requests: Sequence[int], start_bins: float, most: int, foresight: Foresight
) -> list[int]:
    """The count for each bin that costs least: replicas, their start-up time at each step up, less
    what is served. Dynamic programming over counts from 1 to `most`: exact for a fluid that a
    replica serves up to its rate."""
    full = foresight.per_replica * BIN_S
    counts = range(1, most + 1)
    costs, choices = [0.0] * most, list[list[int]]()
    for asked in requests:
        chosen = [_best_before(costs, n, start_bins) for n in counts]
        costs = [
            costs[m - 1] + start_bins * max(0, n - m) + n - foresight.worth * min(asked / full, n)
            for n, m in zip(counts, chosen, strict=True)
        ]
        choices.append(chosen)
    return _followed_back(costs, choices)


def _best_before(costs: Sequence[float], count: int, start_bins: float) -> int:
    """The count of the bin before from which this one is reached at the least cost."""
    steps = [cost + start_bins * max(0, count - n) for n, cost in enumerate(costs, start=1)]
    return steps.index(min(steps)) + 1


def _followed_back(costs: Sequence[float], choices: Sequence[Sequence[int]]) -> list[int]:
    count = min(range(1, len(costs) + 1), key=lambda n: costs[n - 1])
    found: list[int] = []
    for chosen in reversed(choices):
        found.append(count)
        count = chosen[count - 1]
    return found[::-1]


class Clairvoyant(IgnoresTraffic):
    """Launches one start-up time before the replicas are worth it, stops at once."""

    def __init__(
        self, times: Iterable[float], start_s: float, most: int, foresight: Foresight
    ) -> None:
        bins = [int(time // BIN_S) for time in times]
        requests = [0] * (max(bins, default=0) + 1)
        for number in bins:
            requests[number] += 1
        self._counts = schedule(requests, start_s / BIN_S, most, foresight)
        self._ahead = ceil(start_s / BIN_S)

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        """The most that is worth it from now until what is launched now would be ready."""
        number = int(now // BIN_S)
        ahead = self._counts[number : number + self._ahead + 1]
        return Wanted(max(ahead, default=1), "it is known what will come")
