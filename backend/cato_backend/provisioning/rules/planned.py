"""The rule `planned`: the smallest count that keeps every class at its target."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, log

from cato_backend.errors import ConfigError
from cato_backend.profile_files.profile import Profile, StepLaw
from cato_backend.provisioning.capacity import (
    FIRST_REQUESTS,
    REQUESTS,
    CapacityCurve,
    Correction,
    measure,
    outlook,
)
from cato_backend.provisioning.demand import BIN_S, Demand, Forecast
from cato_backend.provisioning.rules.base import AnsweredRequest, FleetState, Mix, Wanted
from cato_backend.provisioning.task_forecast import TaskForecast, TaskForecasts
from cato_backend.requests import Request
from cato_backend.wire.headers import Task


@dataclass(frozen=True, slots=True)
class PlannedSettings:
    """Settings of the rule."""

    goodput: float = 0.95
    """Every class's target, as a share of what an idle replica reaches."""
    errors: float = 0.5
    """Standard errors that the plan stays above it: 0.5 is two times out of three. Those of the
    demand, and of the step law."""
    patience_s: float = 300.0
    """How long fewer must have been enough before any goes; at least twice the start-up time."""
    every_s: float = 5.0
    """Between two plans."""

    def __post_init__(self) -> None:
        if not 0 < self.goodput < 1:
            raise ConfigError.of(
                "provisioning.settings.goodput", self.goodput, "a share between 0 and 1"
            )


FEWEST_ANSWERS = 30
_REMEASURE_S = 120.0
_RELEARN_S = 30.0
"""Least time between two measurements that a changed law asks for."""
_MOST_REPLICAS = 1024
_ALIKE = 0.1
"""Logarithm of the ratio of two step times."""


class Planned:
    """Forecast of demand x recent mix x engine model, corrected by the goodput that is seen."""

    def __init__(self, profile: Profile, settings: PlannedSettings | None = None) -> None:
        self._profile = profile
        self._settings = settings or PlannedSettings()
        self._demand = Demand()
        self._tasks = TaskForecasts()
        self._mix = Mix()
        self._capacity = _Capacity(profile)
        self._correction = Correction()
        self._wishes: deque[tuple[float, int]] = deque()
        self._planned_at = -inf
        self._plan = Wanted(1, "nothing has been asked for yet")
        self._count = 1

    def arrived(self, request: Request, now: float) -> None:
        """Count a request."""
        self._demand.arrived(now)
        self._tasks.arrived(request.task, now)

    def answered(self, answer: AnsweredRequest, now: float) -> None:
        """Learn the mix, and how well the fleet does."""
        self._mix.add(answer)
        if answer.met is not None:
            self._correction.seen(answer.met)

    def learned(self, profile: Profile) -> None:
        """Capacity is measured again where replicas are faster or slower than those measured."""
        self._profile = profile
        self._capacity.learned(profile)

    def wanted(self, fleet: FleetState, now: float) -> Wanted:
        """Return a new plan every few seconds, the last one in between."""
        self._capacity.look(self._mix, now)
        if now - self._planned_at >= self._settings.every_s:
            self._planned_at = now
            self._plan = self._new_plan(fleet, now)
        return self._plan

    def _new_plan(self, fleet: FleetState, now: float) -> Wanted:
        horizon_s = self._profile.start_s + 2 * self._settings.every_s
        forecast, curve = self._demand.forecast(now, horizon_s), self._capacity.curve
        if curve is None or forecast is None:
            self._wishes.append((now, fleet.coming))
            return Wanted(max(1, fleet.coming), "too little has been seen to plan with")
        self._learn(curve, forecast, fleet, now)
        tasks = self._tasks.at(now, horizon_s)
        count, why = self._smallest(curve, forecast, tasks)
        return self._patiently(count, why, fleet, now)

    def _learn(
        self, curve: CapacityCurve, forecast: Forecast, fleet: FleetState, now: float
    ) -> None:
        capacity = max(1, fleet.ready) * self._correction.factor
        found = curve.at(forecast.last / capacity)
        shares = self._mix.shares()
        predicted = sum(share * found.get(task, 1.0) for task, share in shares.items())
        self._correction.learn(predicted, forecast.last * BIN_S, now)

    def _smallest(
        self, curve: CapacityCurve, forecast: Forecast, tasks: Mapping[Task, TaskForecast]
    ) -> tuple[int, str]:
        """Search from the last count on.

        Demand moves slowly, and each look costs 2 ms.
        """
        factor, spread = self._correction.factor, self._profile.spread
        looks = _Looks(curve, forecast, factor, spread, self._settings)
        count = self._count
        while not looks.enough(count) and count < _MOST_REPLICAS:
            count += 1
        while count > 1 and looks.enough(count - 1):
            count -= 1
        self._count = count
        task = looks.tightest(max(1, count - 1))
        fewer = f"{count - 1} would leave {looks.told(count - 1, task)}, " if count > 1 else ""
        return count, (
            f"{forecast.level:.1f} requests/s are expected in {self._profile.start_s:.0f} s "
            f"({forecast.now:.1f} now, {forecast.peak:.1f} in peaks"
            f"{_of_task(task, tasks)}): {fewer}"
            f"{count} keep the tightest class, {looks.told(count, looks.tightest(count))}"
        )

    def _patiently(self, count: int, why: str, fleet: FleetState, now: float) -> Wanted:
        """Up at once; down to the most that was needed recently."""
        patience_s = max(self._settings.patience_s, 2 * self._profile.start_s)
        self._wishes.append((now, count))
        while self._wishes[0][0] < now - patience_s:
            self._wishes.popleft()
        kept = min(fleet.coming, max(wish for _, wish in self._wishes))
        if count >= kept:
            return Wanted(count, why)
        return Wanted(kept, f"{why}; within {patience_s:.0f} s {kept} were needed")


class _Looks:
    """Goodput that one forecast predicts for different counts."""

    def __init__(
        self,
        curve: CapacityCurve,
        forecast: Forecast,
        factor: float,
        spread: float,
        settings: PlannedSettings,
    ) -> None:
        self._curve, self._forecast = curve, forecast
        self._factor, self._spread = factor, spread
        self._settings = settings
        self._goals = curve.goals(settings.goodput)
        self._seen: dict[int, Mapping[Task, float]] = {}

    def enough(self, count: int) -> bool:
        """Return whether every class reaches its goal."""
        goodput = self._goodput(count)
        return all(goodput[task] >= goal for task, goal in self._goals.items())

    def tightest(self, count: int) -> Task:
        """Return the class that is nearest to its goal, or farthest below it."""
        goodput = self._goodput(count)
        return min(self._goals, key=lambda each: goodput[each] / max(self._goals[each], 1e-9))

    def told(self, count: int, task: Task) -> str:
        """Return a class with its goodput, for people."""
        return f"{task} at {max(0.0, self._goodput(count)[task]):.0%}"

    def _goodput(self, count: int) -> Mapping[Task, float]:
        if count not in self._seen:
            capacity, errors = count * self._factor, self._settings.errors
            self._seen[count] = outlook(self._curve, self._forecast, capacity, errors, self._spread)
        return self._seen[count]


def _of_task(task: Task, tasks: Mapping[Task, TaskForecast]) -> str:
    """Return what the forecast of a task says, where there is one."""
    found = tasks.get(task)
    if found is None:
        return ""
    return f"; {task} {found.now:.1f} now, P95 {found.quantiles[0.95]:.1f}"


class _Capacity:
    """The curve of the present mix, measured bit by bit.

    Again every two minutes, at first whenever twice as many answers are known, because short ones
    come first, and when replicas turn out to be faster or slower.
    """

    def __init__(self, profile: Profile) -> None:
        self.curve: CapacityCurve | None = None
        self._profile = self._measured = profile
        self._measuring: Iterator[CapacityCurve | None] | None = None
        self._begun = -inf
        self._known = 0

    def learned(self, profile: Profile) -> None:
        """Take what replicas were found to be; the next measurement is of it."""
        self._profile = profile

    def look(self, mix: Mix, now: float) -> None:
        """Do some 20 ms of work where a measurement is due or under way."""
        if self._measuring is None:
            stale = now - self._begun >= _REMEASURE_S or len(mix) >= 2 * self._known
            if now - self._begun >= _RELEARN_S:
                stale |= not _alike(self._profile.law, self._measured.law)
            if not stale or len(mix) < FEWEST_ANSWERS:
                return
            self._begun, self._known, self._measured = now, len(mix), self._profile
            requests = FIRST_REQUESTS if self.curve is None else REQUESTS
            self._measuring = measure(self._profile, mix.kinds(), requests)
        found = next(self._measuring)
        if found is not None:
            self.curve, self._measuring = found, None


def _alike(one: StepLaw, other: StepLaw) -> bool:
    """Return whether steps take about as long by both.

    Of some decodes, and with a prompt among them.
    """
    return all(
        abs(log(one.seconds(*step) / other.seconds(*step))) < _ALIKE
        for step in ((8, 8, 8_000), (508, 9, 8_500, 125_000))
    )
