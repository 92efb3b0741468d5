"""The default policy beside its strongest baselines in a few fixed worlds of the arena.

A guard against regressions with wide margins, not a measurement: `python -m bench.arena` measures.
"""

from __future__ import annotations

from statistics import fmean

import pytest

from bench.arena.play import Match, play_at
from bench.arena.report import leads
from bench.arena.worlds import world
from cato_backend.config import SchedulingConfig

_KNEES = {
    913: 8.8,
    915: 18.2,
    918: 59.8,
    926: 40.3,
    927: 16.6,
    930: 64.5,
    933: 22.5,
    934: 35.9,
    939: 10.4,
}
"""Worlds of 2 to 5 replicas, loaded from 0.87 to 1.85 of the knee, by what `bench.arena.knee` found
for them (requests per second). The router is told the truth, a wrong law, or nothing; clients send
our headers, others' or none; typing is taken back in every way; replicas slow down or die."""
_DURATION_S = 15.0
_BASELINES = ("prefix-affinity-priorities", "llm-d-sticky", "qoserve")
_LEAST_MEAN, _LEAST_WORST = -8.0, -22.0
"""Percentage points over the best baseline of each world: the mean, and any one world."""

pytestmark = pytest.mark.timeout(600)
"""The first test plays all worlds: some 15 s of CPU time."""


@pytest.fixture(scope="module")
def matches() -> list[Match]:
    policies = (SchedulingConfig().policy, "round-robin", *_BASELINES)
    return [
        play_at(world(number), knee, _DURATION_S, policies, (1,)) for number, knee in _KNEES.items()
    ]


def test_the_default_policy_keeps_its_lead(matches: list[Match]) -> None:
    points = _leads(matches, SchedulingConfig().policy)
    assert fmean(points.values()) >= _LEAST_MEAN, points
    assert min(points.values()) >= _LEAST_WORST, points


def test_a_policy_that_decides_nothing_would_not_pass(matches: list[Match]) -> None:
    assert fmean(_leads(matches, "round-robin").values()) < _LEAST_MEAN


def _leads(matches: list[Match], policy: str) -> dict[int, float]:
    found = leads(matches, policy)
    return {lead.match.world.number: round(lead.points, 1) for lead in found}
