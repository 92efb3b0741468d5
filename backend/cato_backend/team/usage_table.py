"""What was used on each day, in the store."""

from __future__ import annotations

from collections.abc import Mapping

from cato_backend.team.budgets import UsageKey, Used
from cato_backend.team.database import explained, transaction
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
