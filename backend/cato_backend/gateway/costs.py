"""Hourly prices of replicas, and the costs of usage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cato_backend.config.targets import UsageConfig
from cato_backend.errors import ConfigError
from cato_backend.profile_files.hardware import gpu_kinds, gpu_of
from cato_backend.profile_files.prices import DEFAULT_PRICES, Prices, read_prices
from cato_backend.runtime.accounting import Spent


def usage_prices(config: UsageConfig) -> Prices:
    """Return the prices of usage reports. Raises ConfigError naming the field."""
    path = Path(config.prices).expanduser() if config.prices else DEFAULT_PRICES
    try:
        return read_prices(path, (kind.name for kind in gpu_kinds()))
    except ConfigError as error:
        raise ConfigError(f"usage.prices: {error}") from error


class ReplicaPrices:
    """Prices of replicas by their ids.

    `hardware` returns what a replica runs on, as profiles name it; `gpus` how many of these.
    """

    def __init__(
        self, prices: Prices, hardware: Callable[[str], str], gpus: Callable[[str], float]
    ) -> None:
        self._prices = prices
        self._hardware = hardware
        self._gpus = gpus

    def read_again(self, prices: Prices) -> None:
        """Take other prices from now on."""
        self._prices = prices

    @property
    def currency(self) -> str:
        """The currency of all prices."""
        return self._prices.currency

    def per_hour(self, replica_id: str) -> float | None:
        """Return the price of a replica; None where its hardware has none, or is not known."""
        return self._prices.per_hour(gpu_of(self._hardware(replica_id)), self._gpus(replica_id))


PersonDay = tuple[str, str]
"""A day, and the hash of a token."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Costs of each person by day, in one currency."""

    spent: Mapping[PersonDay, Spent]
    currency: str

    def of(self, days: Iterable[PersonDay], lines: int) -> dict[str, float | str | None]:
        """Return what was spent on these days, together and for each of `lines` accepted lines."""
        known = [self.spent[day] for day in set(days) if day in self.spent]
        total = sum(known, Spent()) if known else Spent(0.0, None)
        seconds = total.engine_s if known else None
        return {
            "engine_seconds": _rounded(seconds),
            "engine_seconds_per_accepted_line": _per_line(seconds, lines),
            "cost": _rounded(total.money),
            "cost_per_accepted_line": _per_line(total.money, lines),
            "currency": None if total.money is None else self.currency,
        }


def costs_of(entries: Sequence[Mapping[str, Any]], currency: str) -> Costs:
    """Return the costs that entries tell of. One in another currency has an unknown price."""
    spent: dict[PersonDay, Spent] = {}
    for entry in entries:
        if "engine_s" in entry:
            day = str(entry["at"])[:10], entry["tenant"]
            money = entry.get("cost") if entry.get("currency") == currency else None
            spent[day] = spent.get(day, Spent()) + Spent(entry["engine_s"], money)
    return Costs(spent, currency)


def _per_line(amount: float | None, lines: int) -> float | None:
    return _rounded(amount / lines) if amount is not None and lines else None


def _rounded(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 6)
