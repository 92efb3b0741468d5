"""What each tenant's requests have taken of the replicas today, and what that costs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cato_backend.team.budgets import day_of

_MOST_TENANTS = 10_000
_SECONDS_AN_HOUR = 3600.0


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
