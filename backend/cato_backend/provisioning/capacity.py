"""What one replica can carry of a mix of requests: goodput by load, from the engine model."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt

from cato_backend.profile_files.law import StepLaw
from cato_backend.profile_files.profile import Profile
from cato_backend.provisioning.pool import DemandKind, Measurement, Tally
from cato_backend.wire.headers import Task

LOADS = (0.1, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.3)
"""As shares of the rate that the law allows at best."""
REQUESTS = 600
"""In one measurement; the same ones at every load. With 250, overload was over before long answers
felt it: translations, 36% at 8.2 requests/s on the reference replica, seemed to reach 68%."""
FIRST_REQUESTS = 250
"""Where there is nothing yet: soon rather than exactly."""


@dataclass(frozen=True, slots=True)
class CapacityCurve:
    """Goodput of each task by requests per second on one replica."""

    rates: tuple[float, ...]
    """Ascending."""
    goodput: Mapping[Task, tuple[float, ...]]
    counted: Mapping[Task, int]
    """Requests that each share rests on."""

    def goals(self, goodput: float) -> Mapping[Task, float]:
        """What share of each task has to be met for this goodput, for those seen often enough.

        A share of what an idle replica reaches, because more of them cannot help an answer that is
        too long for its target; less the standard error of a share that rests on few requests.
        """
        most = max(self.counted.values())
        least = min(FEWEST_COUNTED, most)
        return {task: self._goal(task, goodput) for task, n in self.counted.items() if n >= least}

    def _goal(self, task: Task, goodput: float) -> float:
        goal = goodput * self.goodput[task][0]
        spread = max(0.05, goal * (1 - goal))
        return goal - sqrt(spread / self.counted[task])

    def at(self, rate: float) -> Mapping[Task, float]:
        """Linear between the measured rates; beyond the last it falls as 1/rate."""
        return {task: self._one(values, rate) for task, values in self.goodput.items()}

    def _one(self, values: Sequence[float], rate: float) -> float:
        rates = self.rates
        place = bisect_right(rates, rate)
        if place == 0:
            return values[0]
        if place == len(rates):
            return values[-1] * rates[-1] / rate
        part = (rate - rates[place - 1]) / (rates[place] - rates[place - 1])
        return values[place - 1] + part * (values[place] - values[place - 1])


def measure(
    profile: Profile, kinds: Sequence[DemandKind], requests: int = REQUESTS
) -> Iterator[CapacityCurve | None]:
    """Yields None after each slice of some 20 ms, because the server cannot stop for all of
    them, and the curve last."""
    best = _best_rate(profile.law, kinds)
    rates = [share * best for share in LOADS]
    found: list[Mapping[Task, Tally]] = []
    for rate in rates:
        measurement = Measurement(profile, kinds, requests)
        yield from measurement.run(rate)
        found.append(measurement.tallies)
    yield _curve(rates, found)


def _curve(rates: Sequence[float], found: Sequence[Mapping[Task, Tally]]) -> CapacityCurve:
    falling = {task: _falling([each[task].share for each in found]) for task in found[0]}
    counted = {task: tally.counted for task, tally in found[0].items()}
    return CapacityCurve(tuple(rates), falling, counted)


def _falling(values: Sequence[float]) -> tuple[float, ...]:
    """More load never helps: what seems so is chance."""
    return tuple(accumulate(values, min))


def _best_rate(law: StepLaw, kinds: Sequence[DemandKind]) -> float:
    """Requests per second if steps were so full that their fixed time did not count."""
    tokens = sum(kind.prompt_tokens + kind.output_tokens for kind in kinds)
    decoded = sum(kind.output_tokens for kind in kinds)
    read = sum(k.output_tokens * (k.prompt_tokens + k.output_tokens / 2) for k in kinds)
    squares = sum(kind.prompt_tokens**2 / 2 for kind in kinds)
    seconds = law.per_new_token * tokens + law.per_sequence * decoded
    seconds += law.per_kv_token * read + law.per_attention * squares
    fixed = (law.base + law.weights) * decoded / _FULL_BATCH
    return len(kinds) / (seconds + fixed)


FEWEST_COUNTED = 15
"""Requests of a class in a measurement; of fewer nothing can be said."""
_FULL_BATCH = 64
"""Sequences that share a step's fixed time where the law says nothing else against more."""
