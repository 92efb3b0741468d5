"""The capacity of replicas for a mix of requests: predicted by the engine model, then corrected."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, hypot, sqrt

from cato_backend.profile_files.profile import Profile, StepLaw
from cato_backend.provisioning.demand import Forecast, Scenario
from cato_backend.provisioning.pool import DemandKind, Measurement, Tally
from cato_backend.wire.headers import Task

LOADS = (0.1, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.3)
"""As shares of the rate that the law allows at best."""
REQUESTS = 600
"""In one measurement; the same ones at every load. With 250, overload was over before long answers
felt it: translations, 36% at 8.2 requests/s on the reference replica, seemed to reach 68%."""
FIRST_REQUESTS = 250
"""Where there is nothing yet: soon rather than exactly."""
FEWEST_COUNTED = 15
"""Requests of a class in a measurement; of fewer nothing can be said."""
_FULL_BATCH = 64
"""Sequences that share a step's fixed time where the law does not limit their number."""
_CORRECTION_MEMORY_S = 300.0
_ENOUGH_ANSWERS = 100.0
"""Answers within the memory before anything is learned."""
_DEAD_BAND = 0.02
_GAIN = 0.1
_MOST_CHANGE = 0.01
"""One step's change at most."""
_CORRECTION_BOUNDS = (0.7, 1.5)


@dataclass(frozen=True, slots=True)
class CapacityCurve:
    """Goodput of each task by requests per second on one replica."""

    rates: tuple[float, ...]
    """Ascending."""
    goodput: Mapping[Task, tuple[float, ...]]
    counted: Mapping[Task, int]
    """Requests that each share rests on."""

    def goals(self, goodput: float) -> Mapping[Task, float]:
        """Return the share of each task that must be met for this goodput, if seen often enough.

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
    """Yield None after each slice of some 20 ms, and the curve last.

    The server cannot stop for all of them.
    """
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
    """Return the requests per second if the fixed time of steps did not count."""
    tokens = sum(kind.prompt_tokens + kind.output_tokens for kind in kinds)
    decoded = sum(kind.output_tokens for kind in kinds)
    read = sum(k.output_tokens * (k.prompt_tokens + k.output_tokens / 2) for k in kinds)
    squares = sum(kind.prompt_tokens**2 / 2 for kind in kinds)
    seconds = law.per_new_token * tokens + law.per_sequence * decoded
    seconds += law.per_kv_token * read + law.per_attention * squares
    fixed = (law.base + law.weights) * decoded / _FULL_BATCH
    return len(kinds) / (seconds + fixed)


class Correction:
    """A factor that grows while goodput is better than predicted and shrinks while it is worse.

    Where both are near 100% nothing is learned; the planned count then falls until something is.
    Both are means over minutes, because answers come later than the requests that they belong to.
    """

    def __init__(self) -> None:
        self.factor = 1.0
        self._seen = _Mean()
        self._predicted = _Mean()
        self._time: float | None = None

    def seen(self, met: bool) -> None:
        """Record that a request is over."""
        self._seen.add(met, 1.0)

    def learn(self, predicted: float, requests: float, now: float) -> None:
        """Learn from the requests since the last call.

        At their load the curve, with the present factor, predicts the goodput `predicted`.
        """
        kept = exp(-(now - self._time) / _CORRECTION_MEMORY_S) if self._time is not None else 1.0
        self._time = now
        self._seen.fade(kept)
        self._predicted.fade(kept)
        self._predicted.add(predicted, requests)
        if self._seen.weight < _ENOUGH_ANSWERS:
            return
        error = self._seen.mean - self._predicted.mean
        if abs(error) > _DEAD_BAND:
            step = min(_MOST_CHANGE, max(-_MOST_CHANGE, _GAIN * error))
            self.factor = min(
                _CORRECTION_BOUNDS[1], max(_CORRECTION_BOUNDS[0], self.factor * (1 + step))
            )


class _Mean:
    def __init__(self) -> None:
        self.weight = 0.0
        self._sum = 0.0

    @property
    def mean(self) -> float:
        return self._sum / self.weight if self.weight else 1.0

    def add(self, value: float, weight: float) -> None:
        self.weight += weight
        self._sum += weight * value

    def fade(self, kept: float) -> None:
        self.weight *= kept
        self._sum *= kept


def outlook(
    curve: CapacityCurve, forecast: Forecast, capacity: float, errors: float, spread: float = 0.0
) -> Mapping[Task, float]:
    """Return the goodput of each task with `capacity` replicas.

    Over all scenarios, each weighing as much as it has requests, less so many standard errors: of
    its change from minute to minute, and of the step law, whose relative error is `spread`.
    """
    usual = _expected(curve, forecast, capacity)
    if not spread:
        return {task: mean - errors * error for task, (mean, error) in usual.items()}
    slower = _expected(curve, forecast, capacity / (1 + spread))
    return {
        task: mean - errors * hypot(error, max(0.0, mean - slower[task][0]))
        for task, (mean, error) in usual.items()
    }


def _expected(
    curve: CapacityCurve, forecast: Forecast, capacity: float
) -> Mapping[Task, tuple[float, float]]:
    """Return the mean goodput of each task, and its standard error over the minutes."""
    minutes = [_minute(curve, block, capacity) for block in forecast.blocks]
    total = sum(requests for requests, _ in minutes)
    if total <= 0:
        return dict.fromkeys(curve.goodput, (1.0, 0.0))
    return {
        task: _mean_and_error([(requests / total, found[task]) for requests, found in minutes])
        for task in curve.goodput
    }


def _minute(
    curve: CapacityCurve, block: Sequence[Scenario], capacity: float
) -> tuple[float, Mapping[Task, float]]:
    """Return the requests of the minute, and the goodput of each task in it."""
    requests = sum(each.rate * each.weight for each in block)
    if requests <= 0:
        return 0.0, dict.fromkeys(curve.goodput, 1.0)
    found = [(each.rate * each.weight, curve.at(each.rate / capacity)) for each in block]
    means = {task: sum(r * g[task] for r, g in found) / requests for task in curve.goodput}
    return requests, means


def _mean_and_error(minutes: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the weighted mean of (share, value), and its standard error."""
    mean = sum(share * value for share, value in minutes)
    return mean, sqrt(sum((share * (value - mean)) ** 2 for share, value in minutes))
