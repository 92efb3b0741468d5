"""What an hour of each replica costs, by its hardware and the file of prices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cato_backend.config.clients import UsageConfig
from cato_backend.errors import ConfigError
from cato_backend.profile_files.hardware import gpu_kinds, gpu_of
from cato_backend.profile_files.prices import DEFAULT_PRICES, Prices, read_prices


def usage_prices(config: UsageConfig) -> Prices:
    """Return the prices of usage reports. Raises ConfigError naming the field."""
    path = Path(config.prices) if config.prices else DEFAULT_PRICES
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
