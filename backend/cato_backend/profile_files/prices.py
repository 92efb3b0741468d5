"""Hourly prices of GPUs: a file of prices with the source and the date of each."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import cast

from cato_backend.errors import ConfigError

DEFAULT_PRICES = Path(__file__).with_name("prices.toml")
_HOURS_A_MONTH = 730.0
"""Of a GPU that is never switched off: a year's hours by twelve."""


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one GPU for an hour."""

    per_hour: float
    source: str = ""
    date: datetime.date | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices by the names of GPUs in profiles."""

    currency: str
    of: Mapping[str, Price]

    def per_hour(self, gpu: str, count: float) -> float | None:
        """Return the price of `count` GPUs for an hour; None if the GPU has no price."""
        price = self.of.get(gpu)
        return None if price is None else price.per_hour * count

    def per_month(self, gpu: str, replicas: int) -> float | None:
        """Return what the replicas cost a month; None where the GPU has no price."""
        per_hour = self.per_hour(gpu, replicas)
        return None if per_hour is None else per_hour * _HOURS_A_MONTH

    def missing(self, gpus: Iterable[str]) -> list[str]:
        """Return those of the GPUs that have no price."""
        return [gpu for gpu in gpus if gpu not in self.of]

    def sources(self, gpus: Iterable[str]) -> list[str]:
        """Return where and when the prices of these GPUs were read, each once."""
        found = (self.of[gpu] for gpu in gpus if gpu in self.of)
        said = (" ".join(filter(None, (p.source, _on(p.date)))) for p in found)
        return list(dict.fromkeys(filter(None, said)))


def read_prices(path: Path, known: Iterable[str]) -> Prices:
    """Read a file of prices for GPUs with the `known` names. Raises ConfigError."""
    try:
        document: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML file: {error}") from error
    currency = document.get("currency", "USD")
    if not isinstance(currency, str) or not currency.strip():
        raise ConfigError.of(f"{path}: currency", currency, 'a name such as "USD"')
    rows = document.get("gpu")
    if not isinstance(rows, dict) or not rows:
        raise ConfigError(f"{path} names no price: expected [gpu.NAME] with per_hour = NUMBER")
    names, rows = sorted(known), cast("dict[str, object]", rows)
    return Prices(currency, {gpu: _price(path, gpu, row, names) for gpu, row in rows.items()})


def _price(path: Path, gpu: str, row: object, known: list[str]) -> Price:
    if gpu not in known:
        raise ConfigError.of(f"{path}: gpu", gpu, f"one of {', '.join(known)}")
    place = f"{path}: gpu.{gpu}"
    if not isinstance(row, dict):
        raise ConfigError.of(place, row, "a table with per_hour = NUMBER")
    fields = cast("dict[str, object]", row)
    if "per_hour" not in fields:
        raise ConfigError(f"{place}.per_hour: the field is missing; expected a number above 0")
    per_hour = fields["per_hour"]
    if (
        isinstance(per_hour, bool)
        or not isinstance(per_hour, int | float)
        or not 0 < per_hour < inf
    ):
        raise ConfigError.of(f"{place}.per_hour", per_hour, "a number above 0")
    source, date = fields.get("source", ""), fields.get("date")
    if not isinstance(source, str):
        raise ConfigError.of(f"{place}.source", source, "a text")
    if date is not None and not isinstance(date, datetime.date):
        raise ConfigError.of(f"{place}.date", date, "a date such as 2026-09-25, without quotes")
    return Price(float(per_hour), source, date)


def _on(date: datetime.date | None) -> str:
    return "" if date is None else f"({date:%Y-%m-%d})"
