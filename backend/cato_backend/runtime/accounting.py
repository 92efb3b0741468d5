"""Checks each call against the budgets of its team and person, and counts its usage."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from types import TracebackType

from cato_backend.metrics import Metrics
from cato_backend.runtime.calls import Call
from cato_backend.runtime.in_flight import CallOutdated, InFlightRequest
from cato_backend.scheduling import (
    Abort,
    AttemptFailed,
    Decision,
    Dispatch,
    Event,
    Finished,
    ReplicaDown,
)
from cato_backend.team.budgets import Reserved, Used, day_of
from cato_backend.team.live import LiveTeams

_MOST_TENANTS = 10_000

_SECONDS_AN_HOUR = 3600.0

_WARM = "warm"
"""Instead of a task, as in the metrics."""

MOST_TEAMS = 64
"""Teams that have series of their own; the requests of all others are counted together."""

OTHERS = "(others)"
"""No team can have this name."""

_KEPT = frozenset({"met", "late", "enough", "cancelled", "superseded"})

_REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Spent:
    """An amount of engine time, and its price."""

    engine_s: float = 0.0
    money: float | None = 0.0
    """None where a replica has no price."""

    def __add__(self, other: Spent) -> Spent:
        known = self.money is not None and other.money is not None
        money = (self.money or 0.0) + (other.money or 0.0) if known else None
        return Spent(self.engine_s + other.engine_s, money)


@dataclass(slots=True)
class _Account:
    day: str
    seconds: dict[str, float] = field(default_factory=dict[str, float])


class TenantAccounts:
    """Engine seconds by tenant and replica since they were last taken, of the present day alone.

    Requests count whether or not their answers were shown. `clock` returns seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def add(self, tenant: str, seconds: Mapping[str, float]) -> None:
        """Count the engine seconds of one request, by replica."""
        account, today = self._accounts.get(tenant), day_of(self._clock())
        if account is None or account.day != today:
            account = self._accounts[tenant] = _Account(today)
        for replica_id, taken in seconds.items():
            account.seconds[replica_id] = account.seconds.get(replica_id, 0.0) + taken
        self._accounts.move_to_end(tenant)
        if len(self._accounts) > _MOST_TENANTS:
            self._accounts.popitem(last=False)

    def take(self, tenant: str, per_hour: Callable[[str], float | None]) -> Spent:
        """Return what was spent since the last time, and begin at zero.

        `per_hour` returns the price of a replica for an hour, None where it has none.
        """
        account = self._accounts.pop(tenant, None)
        if account is None or account.day != day_of(self._clock()):
            return Spent()
        spent = Spent()
        for replica_id, seconds in account.seconds.items():
            price = per_hour(replica_id)
            money = None if price is None else price * seconds / _SECONDS_AN_HOUR
            spent += Spent(seconds, money)
        return spent


class EngineSeconds:
    """Shares each replica's time equally among the requests that run on it.

    The shares of all requests add up to the time in which replicas had any.
    """

    def __init__(self) -> None:
        self._replicas: dict[str, _SharedTime] = {}
        self._running: dict[str, tuple[str, float]] = {}
        """By request, its replica, and what one request had got there when it began."""
        self._taken: dict[str, dict[str, float]] = {}
        """By request and replica."""

    def note(self, event: Event, decisions: Sequence[Decision], now: float) -> None:
        """Follow an event and what was decided on it."""
        if isinstance(event, Finished | AttemptFailed):
            self._end(event.request_id, now)
        elif isinstance(event, ReplicaDown):
            replica_id = event.replica_id
            for name in [name for name, (at, _) in self._running.items() if at == replica_id]:
                self._end(name, now)
            self._replicas.pop(replica_id, None)
        for decision in decisions:
            if isinstance(decision, Dispatch):
                self._end(decision.request_id, now)
                shared = self._replicas.setdefault(decision.replica_id, _SharedTime(now))
                self._running[decision.request_id] = decision.replica_id, shared.join(now)
            elif isinstance(decision, Abort):
                self._end(decision.request_id, now)

    def take(self, request_id: str) -> dict[str, float]:
        """Return the seconds of a request that has ended, by replica, and forget it."""
        return self._taken.pop(request_id, {})

    def _end(self, request_id: str, now: float) -> None:
        replica_id, began = self._running.pop(request_id, ("", 0.0))
        shared = self._replicas.get(replica_id)
        if shared is not None:
            seconds = shared.leave(now) - began
            taken = self._taken.setdefault(request_id, {})
            taken[replica_id] = taken.get(replica_id, 0.0) + seconds


class _SharedTime:
    """The time per request that one replica has given to requests that ran on it throughout."""

    def __init__(self, now: float) -> None:
        self._seconds = 0.0
        self._running = 0
        self._at = now

    def join(self, now: float) -> float:
        self._pass(now)
        self._running += 1
        return self._seconds

    def leave(self, now: float) -> float:
        self._pass(now)
        self._running -= 1
        return self._seconds

    def _pass(self, now: float) -> None:
        if self._running:
            self._seconds += (now - self._at) / self._running
        self._at = now


class Accounting:
    """Counts calls, output tokens and engine seconds."""

    def __init__(self, teams: LiveTeams) -> None:
        self._teams = teams
        self.seconds = EngineSeconds()
        """Must receive every event and decision."""
        self.spent = TenantAccounts(time.time)

    def counted(self, call: Call) -> CountedCall:
        """Return a block that gives the call in flight, marked where it is over budget.

        Raises BudgetSpent.
        """
        request = call.request
        tokens = request.max_tokens * call.choices
        may_refuse = not call.group  # A whole task that has begun is not refused halfway.
        reserved = self._teams.reserve(request.origin.tenant, tokens, may_refuse=may_refuse)
        if reserved is not None and reserved.is_over:
            share = replace(request.share, over_budget=True)
            call = replace(call, request=replace(request, share=share))
        return CountedCall(self, InFlightRequest(call), reserved)

    def over(self, flight: InFlightRequest, reserved: Reserved | None, requests: int) -> None:
        """Count the usage of the call, as this number of requests."""
        request = flight.call.request
        seconds = self.seconds.take(request.id)
        self.spent.add(request.origin.tenant, seconds)
        used = Used(requests, flight.output_tokens, sum(seconds.values()))
        self._teams.release(reserved, _WARM if request.warm else request.task, used)


class CountedCall:
    """A context manager; a class, because a generator costs twice as much."""

    def __init__(
        self, accounting: Accounting, flight: InFlightRequest, reserved: Reserved | None
    ) -> None:
        self._accounting = accounting
        self._flight = flight
        self._reserved = reserved

    def __enter__(self) -> InFlightRequest:
        """Return the call in flight."""
        return self._flight

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Count its usage, and one request.

        A call that will be made again does not count as a request, nor does one whose answer is
        compared with another one.
        """
        is_outdated = isinstance(error, CallOutdated)
        requests = 0 if is_outdated or self._flight.call.compared else 1
        self._accounting.over(self._flight, self._reserved, requests)


class TeamCounts:
    """Counts ended requests and output tokens by team. Requests without a team do not count."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests = cache(metrics.team_requests.labels)
        self._tokens = cache(metrics.team_output_tokens.labels)
        self._teams: set[str] = set()

    def ended(self, team: str, outcome: str) -> None:
        """Count a request of the team."""
        if team:
            self._requests(self._shown(team), outcome if outcome in _KEPT else _REFUSED).inc()

    def spent(self, team: str, tokens: int) -> None:
        """Count output tokens of the team."""
        if team:
            self._tokens(self._shown(team)).inc(tokens)

    def _shown(self, team: str) -> str:
        if team not in self._teams:
            if len(self._teams) >= MOST_TEAMS:
                return OTHERS
            self._teams.add(team)
        return team
