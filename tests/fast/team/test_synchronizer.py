"""A server and the file of its store, which may be another file soon."""

from __future__ import annotations

import shutil
from pathlib import Path

from cato_backend.team.audit import AuditLog
from cato_backend.team.budgets import DayBudgets, Used
from cato_backend.team.index import TeamIndex
from cato_backend.team.records import Person, Team, UsageLimits
from cato_backend.team.store import TeamStore
from cato_backend.team.synchronizer import Synchronizer, Unsaved

NOW = 1_800_000_000.0


def test_a_copy_put_in_the_store_s_place_counts_no_usage_twice(tmp_path: Path) -> None:
    team, ada = Team("web"), Person("ada", "web", limits=UsageLimits(output_tokens_per_day=15))
    path, copy = tmp_path / "team.sqlite3", tmp_path / "copy.sqlite3"
    with_ada = TeamStore(path, lambda: NOW)
    with_ada.create_team(team)
    with_ada.create_person(ada)
    with_ada.close()
    budgets, audit = DayBudgets(), AuditLog(tmp_path / "audit.jsonl", 1000)
    sync = Synchronizer(path, TeamIndex(), budgets, audit, lambda: NOW)
    sync.refresh()
    budgets.release(budgets.reserve(team, ada, 10, NOW), "completion", Used(1, 10, 0.5), NOW)
    sync.step(Unsaved({}, budgets.take_unsaved()))
    sync.do(lambda store, _: store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))
    shutil.copy(path, copy)
    copy.replace(path)
    sync.refresh()
    assert not budgets.reserve(team, ada, 5, NOW).is_over
    assert budgets.is_spent(team, ada, NOW)
    sync.close(Unsaved({}, {}))
