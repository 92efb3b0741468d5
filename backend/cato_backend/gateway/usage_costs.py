"""What usage cost: engine seconds and money, from the entries of the feedback file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cato_backend.runtime.spent import Spent

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
