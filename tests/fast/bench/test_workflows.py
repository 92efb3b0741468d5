"""Whole tasks in virtual time: their calls side by side, and the completions beside them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.beside_tasks import Setting, main, play
from bench.workflows import (
    DEADLINES,
    SIDE_BY_SIDE,
    Study,
    Workflow,
    large_file_summary,
)
from cato_backend.scheduling import make_policy
from cato_backend.wire.headers import Task
from cato_lab.simulation.fleet import Fleet
from cato_lab.workloads import MixWorkload, Poisson

SPLIT = "split by quantiles"


def _played() -> tuple[list[Workflow], Counter[str], int]:
    """Return the workflows, the calls of each, and how many of one were open at most."""
    study = Study(make_policy("cato"), Fleet(), DEADLINES[SPLIT], 1)
    study.begin_workflows(20.0, 0.2, (large_file_summary,))
    outcomes = study.run(MixWorkload(Poisson(1), 20.0, {Task.COMPLETION: 1.0}), 1).outcomes
    calls = [each for each in outcomes if each.arrival.id.startswith("w")]
    times = [(each.arrival.session, each.arrival.time, 1) for each in calls]
    times += [(each.arrival.session, each.arrival.time + each.ended_s, -1) for each in calls]
    most, at_once = 0, Counter[str]()
    for session, _, change in sorted(times, key=lambda each: (each[1], each[2])):
        at_once[session] += change
        most = max(most, at_once[session])
    return study.workflows, Counter(each.arrival.session for each in calls), most


def test_a_large_file_is_worked_on_in_parts() -> None:
    workflows, calls, most = _played()
    assert workflows
    for workflow in workflows:
        assert workflow.ended is not None
        assert calls[workflow.id] == sum(map(len, workflow.stages))
    assert most == SIDE_BY_SIDE


def test_completions_are_played_alone_and_beside_tasks() -> None:
    alone, beside = (play(Setting("cato", SPLIT, 5.0, tasks, 1), 20.0) for tasks in (0.0, 0.5))
    assert alone.tasks is None
    assert beside.tasks is not None
    assert alone.completions == 100.0
    assert beside.completions >= 90


def test_a_result_file_is_added_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "beside.json"
    few = ["--policies", "cato", "--completions", "5", "--seconds", "15", "--json", str(file)]
    for seeds, runs in (("1", 1), ("2", 2)):
        monkeypatch.setattr("sys.argv", ["beside_tasks", *few, "--tasks", "--seeds", seeds])
        main()
        assert [run["seed"] for run in json.loads(file.read_text())["runs"]] == [1, 2][:runs]
