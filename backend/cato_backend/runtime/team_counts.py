"""Requests and output tokens by team, for `/metrics`."""

from __future__ import annotations

from functools import cache

from cato_backend.metrics import Metrics

MOST_TEAMS = 64
"""Teams that have series of their own; the requests of all others are counted together."""
OTHERS = "(others)"
"""No team can have this name."""
_KEPT = frozenset({"met", "late", "enough", "cancelled", "superseded"})
_REFUSED = "refused"


class TeamCounts:
    """Counts what ends. Requests without a team are not counted here."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests = cache(metrics.team_requests.labels)
        self._tokens = cache(metrics.team_output_tokens.labels)
        self._teams: set[str] = set()

    def ended(self, team: str, outcome: str) -> None:
        """Count a request of the team."""
        if team:
            self._requests(self._shown(team), outcome if outcome in _KEPT else _REFUSED).inc()

    def spent(self, team: str, tokens: int) -> None:
        """Count output tokens of the team."""
        if team:
            self._tokens(self._shown(team)).inc(tokens)

    def _shown(self, team: str) -> str:
        if team not in self._teams:
            if len(self._teams) >= MOST_TEAMS:
                return OTHERS
            self._teams.add(team)
        return team
