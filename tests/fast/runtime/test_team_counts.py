"""Counts by team, with a bound on the number of series."""

from __future__ import annotations

from cato_backend.metrics import Metrics
from cato_backend.runtime.accounting import MOST_TEAMS, OTHERS, TeamCounts


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_requests_and_tokens_are_counted_by_team() -> None:
    metrics = Metrics()
    counts = TeamCounts(metrics)
    for outcome in ("met", "met", "overloaded", "expired", "late"):
        counts.ended("web", outcome)
        counts.spent("web", 5)
    counts.ended("", "met")
    counts.spent("", 100)
    assert value(metrics, "cato_team_requests_total", team="web", outcome="met") == 2
    assert value(metrics, "cato_team_requests_total", team="web", outcome="refused") == 2
    assert value(metrics, "cato_team_output_tokens_total", team="web") == 25
    assert value(metrics, "cato_team_output_tokens_total", team="") is None


def test_more_teams_than_there_is_room_for_are_counted_together() -> None:
    metrics = Metrics()
    counts = TeamCounts(metrics)
    for _ in range(2):
        for number in range(MOST_TEAMS + 100):
            counts.ended(f"team-{number}", "met")
            counts.spent(f"team-{number}", 1)
    assert value(metrics, "cato_team_requests_total", team=OTHERS, outcome="met") == 200
    assert value(metrics, "cato_team_requests_total", team="team-0", outcome="met") == 2
    teams = [
        sample.labels["team"]
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "cato_team_output_tokens_total"
    ]
    assert len(teams) == MOST_TEAMS + 1
