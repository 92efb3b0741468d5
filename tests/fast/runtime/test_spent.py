"""What a tenant's requests took of the replicas, with its price."""

from __future__ import annotations

import pytest

from cato_backend.runtime.accounting import Spent, TenantAccounts

DAY_S = 86_400.0
PRICES = {"fast": 3.6, "slow": 0.36}


class Now:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000 * DAY_S

    def __call__(self) -> float:
        return self.now


def test_each_replica_has_its_price() -> None:
    accounts = TenantAccounts(Now())
    accounts.add("ada", {"fast": 1.0, "slow": 2.0})
    accounts.add("ada", {"fast": 1.0})
    accounts.add("bob", {"slow": 5.0})
    spent = accounts.take("ada", PRICES.get)
    assert spent.engine_s == 4.0
    assert spent.money == pytest.approx(0.0022)
    assert accounts.take("ada", PRICES.get) == Spent()
    assert accounts.take("bob", PRICES.get).engine_s == 5.0


def test_without_a_price_of_one_replica_the_price_is_not_known() -> None:
    accounts = TenantAccounts(Now())
    accounts.add("ada", {"fast": 1.0, "other": 2.0})
    assert accounts.take("ada", PRICES.get) == Spent(3.0, None)


def test_what_was_spent_on_another_day_is_not_told() -> None:
    now = Now()
    accounts = TenantAccounts(now)
    accounts.add("ada", {"fast": 1.0})
    accounts.add("bob", {"fast": 1.0})
    now.now += DAY_S
    assert accounts.take("ada", PRICES.get) == Spent()
    accounts.add("bob", {"fast": 2.0})
    assert accounts.take("bob", PRICES.get).engine_s == 2.0
