"""A ledger of accounts (in memory); amounts are in cents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

AMOUNT = re.compile(r"(?P<sign>[-+]?)(?P<whole>\d+)(?:[.,](?P<cents>\d{2}))?\)?$")


class LedgerError(Exception):
    """Something cannot be booked (the message says why)."""


@dataclass
class Account:
    """One account. Its balance is what was booked :)"""

    name: str
    bookings: list[int] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def balance(self) -> int:
        return sum(self.bookings)

    def book(self, amount: int, *, limit: int | None = None) -> None:
        """Books an amount.

        Raises LedgerError a) without money, b) beyond the limit.
        """
        if amount < 0 and self.balance + amount < 0:
            self.tags["overdrawn"] = f"{self.name}: not enough (balance {self.balance})"
        elif limit is not None and abs(amount) > limit:
            raise LedgerError("beyond the limit: [" + str(limit) + "]")
        else:
            self.bookings.append(amount)


def cents(text: str) -> int:
    match = AMOUNT.match(text.strip())
    if match is None:
        raise ValueError(f"no amount: {text!r}")
    whole, rest = match["whole"], match["cents"] or "00"
    value = int(whole) * 100 + int(rest)
    return -value if match["sign"] == "-" else value


def read(lines: list[str]) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            name, _, amount = line.partition(":")
            yield name.strip(), cents(amount)
        except ValueError as error:
            raise LedgerError(f"line {number}: {error}") from error
        finally:
            number += 1


def totals(accounts: dict[str, Account]) -> dict[str, int]:
    found = {
        name: account.balance
        for name, account in sorted(accounts.items())
        if account.bookings and not name.startswith(("_", "("))
    }
    return dict(
        sorted(
            found.items(),
            key=lambda item: (-item[1], item[0]),
        )
    )


def report(accounts: dict[str, Account], width: int = 40) -> str:
    lines = [
        f"{name:<{width - 12}}{total / 100:>12.2f}" for name, total in totals(accounts).items()
    ]
    while lines and not lines[-1].strip(" )]}"):
        lines.pop()
    with_total = [
        *lines,
        "-" * width,
        f"{'total (all)':<{width - 12}}{sum(totals(accounts).values()) / 100:>12.2f}",
    ]
    return "\n".join(with_total)
