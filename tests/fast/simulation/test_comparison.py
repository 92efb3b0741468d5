"""Policies compared over the same seeds."""

from __future__ import annotations

import pytest

from cato_lab.report.comparison import comparison_section, comparisons
from cato_lab.scoring.scores import score
from cato_lab.simulation.study import CellResult, Point
from tests.fast.simulation.stories import arrival, outcome


def _point(policy: str, *met_of_ten: int) -> Point:
    """Each seed's run of ten requests."""
    results = [
        CellResult(
            policy,
            20.0,
            seed,
            score(
                [
                    outcome(arrival(str(i)), first_token_s=0.5 if i < met else 2.0)
                    for i in range(10)
                ],
                10.0,
            ),
            0,
            0.0,
        )
        for seed, met in enumerate(met_of_ten)
    ]
    return Point(policy, 20.0, tuple(results))


def test_what_the_seeds_have_in_common_cancels_out() -> None:
    """The means' intervals overlap widely; seed by seed, ours is always one or two ahead."""
    points = [_point("cato", 9, 7, 4, 10), _point("edf", 8, 6, 2, 9), _point("random", 1, 1, 1, 1)]
    overall = next(comparisons(points))
    assert (overall.policy, overall.other) == ("cato", "edf")
    assert overall.lead.mean == pytest.approx(0.125)
    assert overall.verdict == "better"


def test_a_lead_within_its_interval_is_none() -> None:
    found = next(comparisons([_point("cato", 9, 7, 4), _point("edf", 8, 8, 4)]))
    assert found.lead.mean == pytest.approx(0.0)
    assert found.verdict == ""


def test_a_loss_is_shown() -> None:
    section = comparison_section([_point("cato", 5, 5, 5), _point("edf", 8, 8, 9)], "requests/s")
    assert "class='worse'" in section
    assert "-33.3" in section


def test_without_another_there_is_nothing_to_say() -> None:
    assert comparison_section([_point("cato", 5, 5)], "requests/s") == ""
