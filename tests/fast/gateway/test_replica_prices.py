"""What an hour of a replica costs."""

from __future__ import annotations

import pytest

from cato_backend.gateway.costs import ReplicaPrices
from cato_backend.profile_files.prices import Price, Prices


@pytest.mark.parametrize(("gpus", "cost"), [(1.0, 2.0), (4.0, 8.0), (0.25, 0.5)])
def test_a_replica_costs_what_its_gpus_cost(gpus: float, cost: float) -> None:
    prices = Prices("EUR", {"l40s": Price(2.0)})
    assert ReplicaPrices(prices, lambda _: "l40s", lambda _: gpus).per_hour("replica-1") == cost


def test_hardware_without_a_price_has_an_unknown_cost() -> None:
    prices = ReplicaPrices(Prices("EUR", {}), lambda _: "cpu-local", lambda _: 1.0)
    assert prices.per_hour("replica-1") is None


def test_gpus_that_hold_a_replica_together_have_the_price_of_each() -> None:
    prices = ReplicaPrices(Prices("EUR", {"l40s": Price(2.0)}), lambda _: "2x-l40s", lambda _: 2.0)
    assert prices.per_hour("replica-1") == 4.0
