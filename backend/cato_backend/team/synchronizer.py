"""Synchronizes the store with the server's memory, in a thread of its own."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from cato_backend.errors import ConfigError
from cato_backend.team.audit import AuditLog
from cato_backend.team.budgets import DayBudgets, UsageKey, Used, day_of
from cato_backend.team.database import explained, transaction
from cato_backend.team.index import TeamIndex
from cato_backend.team.store import TeamStore

_ADD = """
INSERT INTO usage (day, team, person, task, requests, output_tokens, engine_seconds)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (day, team, person, task) DO UPDATE SET
    requests = requests + excluded.requests,
    output_tokens = output_tokens + excluded.output_tokens,
    engine_seconds = engine_seconds + excluded.engine_seconds"""

_OF_DAY = """
SELECT team, person, sum(requests), sum(output_tokens), sum(engine_seconds)
FROM usage WHERE day = ? GROUP BY team, person"""

_AUDIT_S = 60.0
"""Between two records of how many requests people sent."""


def add_usage(store: TeamStore, amounts: Mapping[UsageKey, Used]) -> None:
    """Add what was used. Raises ConfigError."""
    rows = [
        (*key, used.requests, used.output_tokens, used.engine_seconds)
        for key, used in amounts.items()
    ]
    with transaction(store.connection, store.path) as connection:
        connection.executemany(_ADD, rows)


def usage_of(store: TeamStore, day: str) -> list[tuple[str, str, Used]]:
    """Return what was used on a day: team, person, amount. Raises ConfigError."""
    with explained(store.path):
        rows = store.connection.execute(_OF_DAY, (day,)).fetchall()
    return [(team, person, Used(*amounts)) for team, person, *amounts in rows]


ResultT = TypeVar("ResultT")


class Unsaved(NamedTuple):
    """Changes that are not written to the store yet."""

    seen: Mapping[str, float]
    """By token, when it was used last."""
    amounts: Mapping[UsageKey, Used]


class Synchronizer:
    """Reads changes into the index, and writes usage. Raises ConfigError, OSError."""

    def __init__(
        self,
        path: Path,
        index: TeamIndex,
        budgets: DayBudgets,
        audit: AuditLog,
        clock: Callable[[], float],
    ) -> None:
        self._path = path
        self._index = index
        self._budgets = budgets
        self._audit = audit
        self._clock = clock
        self._store: TeamStore | None = None
        self._inode = 0
        self._to_audit = defaultdict[UsageKey, Used](Used)
        self._audited = clock()
        self.salt_key = b""
        """The store's secret for salts."""

    def do(self, work: Callable[[TeamStore, AuditLog], ResultT]) -> ResultT:
        """Run `work` on the store, made where there is none, and take over what it changed."""
        result = work(self._opened(), self._audit)
        self.refresh()
        return result

    def step(self, unsaved: Unsaved) -> None:
        """Read what has changed, and write what was used."""
        self.refresh()
        if self._store is not None:
            self._write(self._store, unsaved)
            if self._clock() - self._audited >= _AUDIT_S:
                self._record()

    def refresh(self) -> None:
        """Read what has changed. A store that is gone changes nothing."""
        if self._path.exists():
            self._index.apply(self._opened().changes(self._index.revision))

    def close(self, unsaved: Unsaved) -> None:
        """Write what is not written yet, and close the store."""
        if self._store is None:
            return
        with contextlib.suppress(ConfigError, OSError):
            self._write(self._store, unsaved)
            self._record()
        self._store.close()

    def _opened(self) -> TeamStore:
        inode = self._path.stat().st_ino if self._path.exists() else 0
        if self._store is not None and inode == self._inode:
            return self._store
        store = TeamStore(self._path, self._clock)
        if self._store is None:
            # A copy that was put in its place tells again what is counted already.
            day = day_of(self._clock())
            self._budgets.load(day, usage_of(store, day))
        self.salt_key = store.salt_key()
        self._index.replace(store.changes(0))
        if self._store is not None:
            self._store.close()
        self._store, self._inode = store, self._path.stat().st_ino
        return store

    def _write(self, store: TeamStore, unsaved: Unsaved) -> None:
        if unsaved.seen:
            store.note_used(unsaved.seen.items())
        if unsaved.amounts:
            add_usage(store, unsaved.amounts)
        for key, amount in unsaved.amounts.items():
            self._to_audit[key].add(amount)

    def _record(self) -> None:
        self._audited = self._clock()
        amounts, self._to_audit = self._to_audit, defaultdict[UsageKey, Used](Used)
        if amounts:
            self._audit.requested(amounts)
