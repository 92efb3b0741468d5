"""How many more sessions would fit."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.gateway.overview import spare_capacity
from cato_backend.runtime.recent import WINDOW_S, AnswerTimes, RecentOutcomes
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.headers import Task

SLOTS = 10


def told(answers: int, seconds: float, *, late: int = 0, sessions: int = 5) -> dict[str, Any]:
    """Of one replica that has given so many answers, each of which took so long."""
    recent = RecentOutcomes(lambda: 1e6)
    for n in range(answers):
        outcome = "late" if n < late else "met"
        recent.ended(Task.COMPLETION, outcome, AnswerTimes(e2e_s=seconds))
    loads = [ReplicaLoad("r", "m", SLOTS), ReplicaLoad("d", "m", SLOTS, draining=True)]
    return spare_capacity(sessions, loads, recent.classes())


def test_what_is_free_up_to_the_limit_goes_to_more_sessions() -> None:
    """One answer runs in the mean, of ten: seven would be usable."""
    found = told(300, WINDOW_S / 300)
    assert found["busy"] == pytest.approx(0.1)
    assert (found["slots"], found["more_sessions"]) == (SLOTS, 30)
    assert "upper estimate" in found["note"]


def test_full_replicas_take_no_more() -> None:
    assert told(300, 8 * WINDOW_S / 300)["more_sessions"] == 0


def test_no_more_fit_while_a_class_is_late() -> None:
    found = told(300, WINDOW_S / 300, late=30)
    assert found["more_sessions"] == 0
    assert "90.0% goodput" in found["note"]


def test_it_is_not_extrapolated_far() -> None:
    found = told(300, 0.001)
    assert (found["more_sessions"], found["note"][:12]) == (50, "at least so ")


@pytest.mark.parametrize(("answers", "sessions"), [(99, 5), (300, 0)])
def test_too_little_seen_says_nothing(answers: int, sessions: int) -> None:
    found = told(answers, 1.0, sessions=sessions)
    assert found["more_sessions"] is None
    assert "nothing can be said" in found["note"]


def test_a_server_without_replicas_is_told_as_such() -> None:
    found = spare_capacity(3, [], RecentOutcomes(lambda: 1e6).classes())
    assert (found["slots"], found["busy"], found["more_sessions"]) == (0, 0.0, None)
