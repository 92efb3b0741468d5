"""The cost of a request does not depend on the number of people and tokens in the store."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.team_size import fill
from cato_backend.team.budgets import Used
from cato_backend.team.live import LiveTeams, TeamSettings


def calls_of(work: Callable[[], object]) -> int:
    """Return the number of functions that the work calls, Python's and built-in ones."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # Hypothesis has a callback for each collection, whose calls would count.
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


def request_of(teams: LiveTeams, secret: str) -> None:
    """Who sends a request, on which terms, and what it takes of the budgets."""
    requester = teams.find(secret)
    assert requester is not None
    with teams.admitted(requester.tenant):
        teams.terms(requester.tenant)
        reserved = teams.reserve(requester.tenant, 64, may_refuse=True)
    teams.release(reserved, "completion", Used(1, 20, 0.1))
    assert teams.ended(requester.token_id) is None


def calls_of_a_request(path: Path, people: int) -> int:
    *_, secret = fill(path, people)
    teams = LiveTeams(TeamSettings(path=path))
    try:
        request_of(teams, secret)  # What is remembered of a person is made at the first request.
        return calls_of(lambda: request_of(teams, secret))
    finally:
        teams.close()


@pytest.mark.parametrize("people", [100, 2000])
def test_a_request_calls_as_many_functions_in_a_large_store(tmp_path: Path, people: int) -> None:
    small = calls_of_a_request(tmp_path / "small.sqlite3", 10)
    assert calls_of_a_request(tmp_path / "large.sqlite3", people) == small
    assert 20 < small < 300
