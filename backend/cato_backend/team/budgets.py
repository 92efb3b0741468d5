"""The budgets of teams and people, and their usage today (UTC). No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from cato_backend.team.records import Key, Person, Team, UsageLimits, limited

_DAY_S = 86_400.0
_SMOOTHING = 0.1


class UsageKey(NamedTuple):
    """The key by which usage is counted."""

    day: str
    team: str
    person: str
    task: str


@dataclass(slots=True)
class Used:
    """An amount of usage."""

    requests: int = 0
    output_tokens: int = 0
    engine_seconds: float = 0.0

    def add(self, other: Used) -> None:
        """Add another amount."""
        self.requests += other.requests
        self.output_tokens += other.output_tokens
        self.engine_seconds += other.engine_seconds


class Reserved(NamedTuple):
    """Usage reserved for a call that is under way."""

    team: Team
    person: Person
    output_tokens: int
    engine_seconds: float
    is_over: bool
    """Whether it does not fit into a budget any more."""


class DayBudgets:
    """Counts what ended, and reserves for what is under way, so that no budget is overdrawn.

    Times are seconds since 1970.
    """

    def __init__(self) -> None:
        self._day = ""
        self._used = defaultdict[Key, Used](Used)
        self._reserved = defaultdict[Key, Used](Used)
        self._call_s = defaultdict[str, float](float)
        """By person, the mean engine seconds of a call."""
        self._unsaved = defaultdict[UsageKey, Used](Used)

    def load(self, day: str, rows: Iterable[tuple[str, str, Used]]) -> None:
        """Begin with what was used of the day before this process: team, person, amount."""
        self._begin(day)
        for team, person, used in rows:
            for key in _keys(team, person):
                self._used[key].add(used)

    def reserve(self, team: Team, person: Person, output_tokens: int, now: float) -> Reserved:
        """Reserve for a call; `release` or `cancel` must follow."""
        self._begin(day_of(now))
        seconds = self._call_s[person.name]
        is_over = any(
            self._exceeds(limits, key, output_tokens, seconds)
            for key, limits in limited(team, person)
        )
        for key in _keys(team.name, person.name):
            self._reserved[key].add(Used(1, output_tokens, seconds))
        return Reserved(team, person, output_tokens, seconds, is_over)

    def release(self, reserved: Reserved, task: str, used: Used, now: float) -> None:
        """Count what a call has used, instead of what was reserved for it."""
        team, person = reserved.team, reserved.person
        self._begin(day_of(now))
        mean = self._call_s[person.name]
        weight = _SMOOTHING if mean else 1.0
        self._call_s[person.name] = mean + weight * (used.engine_seconds - mean)
        for key in _keys(team.name, person.name):
            self._used[key].add(used)
        self.cancel(reserved)
        self._unsaved[UsageKey(self._day, team.name, person.name, task)].add(used)

    def cancel(self, reserved: Reserved) -> None:
        """Forget a reservation: the call was not made, or has ended."""
        for key in _keys(reserved.team.name, reserved.person.name):
            held = self._reserved[key]
            held.add(Used(-1, -reserved.output_tokens, -reserved.engine_seconds))
            if not held.requests:
                del self._reserved[key]

    def is_spent(self, team: Team, person: Person, now: float) -> bool:
        """Return whether nothing is left of a budget."""
        self._begin(day_of(now))
        return any(self._exceeds(limits, key, 1, 0.0) for key, limits in limited(team, person))

    def take_unsaved(self) -> dict[UsageKey, Used]:
        """Return what was counted since the last call, to be written to the store."""
        unsaved, self._unsaved = self._unsaved, defaultdict[UsageKey, Used](Used)
        return unsaved

    def put_back(self, unsaved: Mapping[UsageKey, Used]) -> None:
        """Keep what could not be written."""
        for key, used in unsaved.items():
            self._unsaved[key].add(used)

    def _begin(self, day: str) -> None:
        if day != self._day:
            self._day = day
            self._used.clear()

    def _exceeds(self, limits: UsageLimits, key: Key, tokens: int, seconds: float) -> bool:
        used, reserved = self._used[key], self._reserved.get(key) or Used()
        most_tokens, most_s = limits.output_tokens_per_day, limits.engine_seconds_per_day
        if most_tokens is not None:
            tokens += used.output_tokens + reserved.output_tokens
            if tokens > most_tokens:
                return True
        return most_s is not None and (
            used.engine_seconds + reserved.engine_seconds + seconds > most_s
        )


def day_of(now: float) -> str:
    """Return the day, such as 2026-11-30."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def seconds_left(now: float) -> float:
    """Return seconds until the next day begins."""
    return _DAY_S - now % _DAY_S


def _keys(team: str, person: str) -> tuple[Key, Key]:
    return ("team", team), ("person", person)
