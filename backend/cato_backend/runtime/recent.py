"""Outcomes, times and late requests of the last minutes, by class."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from cato_backend.clock import Clock
from cato_backend.runtime.lateness import LateCause, Lateness
from cato_backend.wire.headers import Task

SLICE_S = 10.0
SLICES = 30
WINDOW_S = SLICE_S * SLICES
"""What is kept, in seconds."""
_MOST_TIMES = 1000
"""Answers of a class whose times are kept: enough for a 99th percentile."""
_MOST_LATE = 50
_MOST_SESSIONS = 10_000
_IN_TIME = frozenset({"met", "enough"})
_WHOLE = _IN_TIME | {"late"}
_UNWANTED = frozenset({"cancelled", "superseded"})
"""Outcomes that do not count for goodput."""
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


class AnswerTimes(NamedTuple):
    """The times of one call in seconds; None where it did not come so far."""

    queue_s: float | None = None
    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None


class LateCall(NamedTuple):
    """A request that was late or refused. It does not name its tenant."""

    ended_at: float
    """On the scheduler's clock."""
    task: Task
    model: str
    replica_id: str
    lateness: Lateness


@dataclass(slots=True)
class _Slice:
    """The outcomes of one class in ten seconds."""

    number: int
    outcomes: Counter[str] = field(default_factory=Counter[str])
    busy_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RecentClass:
    """One class in the last minutes."""

    outcomes: Mapping[str, int]
    goodput: float | None
    """The share that met its target, of what was still wanted; None without any."""
    quantiles: Mapping[str, Mapping[str, float]]
    """In seconds, by the name of the time and of the quantile."""
    wanted: Sequence[int]
    """Requests still wanted that ended in each slice, the oldest first."""
    met: Sequence[int]
    """The numbers of them that met their target."""
    busy_s: float
    """Seconds on replicas of all whole answers together."""


class ClassWindow:
    """The last minutes of one class."""

    def __init__(self) -> None:
        self._slices: deque[_Slice] = deque(maxlen=SLICES)
        self._times: deque[tuple[float, AnswerTimes]] = deque(maxlen=_MOST_TIMES)

    def add(self, outcome: str, times: AnswerTimes, now: float) -> None:
        """Record that a call has ended."""
        number = int(now // SLICE_S)
        if not self._slices or self._slices[-1].number != number:
            self._slices.append(_Slice(number))
        last = self._slices[-1]
        last.outcomes[outcome] += 1
        if outcome in _WHOLE:
            self._times.append((now, times))
            if times.e2e_s is not None:
                last.busy_s += times.e2e_s - (times.queue_s or 0.0)

    def look(self, now: float) -> RecentClass:
        """Return the last minutes."""
        newest = int(now // SLICE_S)
        by_number = {each.number: each for each in self._slices if each.number > newest - SLICES}
        numbers = range(newest - SLICES + 1, newest + 1)
        outcomes = sum((each.outcomes for each in by_number.values()), Counter[str]())
        wanted, met = _wanted(outcomes), _met(outcomes)
        empty = Counter[str]()
        counts = [by_number[n].outcomes if n in by_number else empty for n in numbers]
        return RecentClass(
            outcomes=dict(outcomes),
            goodput=met / wanted if wanted else None,
            quantiles=_quantiles(each for at, each in self._times if at > now - WINDOW_S),
            wanted=[_wanted(each) for each in counts],
            met=[_met(each) for each in counts],
            busy_s=sum(each.busy_s for each in by_number.values()),
        )


class RecentOutcomes:
    """The outcomes of all classes. The outcome recorder writes them; the overview reads them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._classes = {task: ClassWindow() for task in Task}
        self._late: deque[LateCall] = deque(maxlen=_MOST_LATE)
        self._sessions: OrderedDict[tuple[str, str], float] = OrderedDict()

    def ended(self, task: Task, outcome: str, times: AnswerTimes) -> None:
        """Record that a call has ended."""
        self._classes[task].add(outcome, times, self._clock())

    def late(self, task: Task, model: str, replica_id: str, lateness: Lateness) -> None:
        """Record that a call was late or refused."""
        self._late.append(LateCall(self._clock(), task, model, replica_id, lateness))

    def asked(self, session: tuple[str, str]) -> None:
        """Record that a session, with its token's owner, has asked for something."""
        self._sessions[session] = self._clock()
        self._sessions.move_to_end(session)
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)

    def since(self, arrival: float) -> float:
        """Return the seconds since a time of the scheduler's clock."""
        return self._clock() - arrival

    def classes(self) -> Mapping[Task, RecentClass]:
        """Return the last minutes of each class."""
        now = self._clock()
        return {task: window.look(now) for task, window in self._classes.items()}

    def late_calls(self) -> Sequence[LateCall]:
        """Return the newest late requests of the last minutes, the newest first."""
        since = self._clock() - WINDOW_S
        return [each for each in reversed(self._late) if each.ended_at > since]

    def late_causes(self) -> Mapping[LateCause, int]:
        """Return how many of these had each cause."""
        return Counter(each.lateness.cause for each in self.late_calls())

    def sessions(self) -> int:
        """Return how many sessions asked for something in the last minutes."""
        since = self._clock() - WINDOW_S
        while self._sessions and next(iter(self._sessions.values())) <= since:
            self._sessions.popitem(last=False)
        return len(self._sessions)


def _wanted(outcomes: Counter[str]) -> int:
    return sum(count for outcome, count in outcomes.items() if outcome not in _UNWANTED)


def _met(outcomes: Counter[str]) -> int:
    return sum(outcomes[outcome] for outcome in _IN_TIME)


def _quantiles(times: Iterable[AnswerTimes]) -> Mapping[str, Mapping[str, float]]:
    columns = zip(AnswerTimes._fields, zip(*times, strict=True), strict=False)
    found = {name: sorted(each for each in column if each is not None) for name, column in columns}
    return {name: _of_sorted(values) for name, values in found.items() if values}


def _of_sorted(values: Sequence[float]) -> Mapping[str, float]:
    """By the nearest rank."""
    return {name: values[ceil(share * len(values)) - 1] for name, share in _SHARES.items()}
