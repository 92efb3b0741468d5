"""What GPUs that are there carry, and one answer whichever way it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cato_backend.commands.arguments import Parser
from cato_backend.errors import ConfigError
from cato_backend.profile_files.files import find_profile_file, read_profile_file
from cato_backend.profile_files.prices import Price, Prices
from cato_lab.commands import plan
from cato_lab.commands.plan_inventory import plan_inventory
from cato_lab.commands.plan_profiles import DEFAULT_MODEL
from cato_lab.commands.planner import Planner
from cato_lab.simulation.cell_pool import CellPool

QUICK = ["--seeds", "1", "--duration", "10", "--jobs", "1", "--policy", "least-requests", "--json"]


def planned(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    parser = Parser(prog="cato plan")
    plan.configure(parser)
    status = plan.run(parser.parse([*words, *QUICK]))
    return status, json.loads(capsys.readouterr().out)


@pytest.fixture
def listed(tmp_path: Path) -> str:
    file = tmp_path / "gpus.toml"
    file.write_text(
        '[[gpus]]\ngpu = "NVIDIA L40S"\nmemory_gb = 48\n'
        '[[gpus]]\ngpu = "next-year"\nmemory_gb = 192\n'
    )
    return str(file)


def test_a_fleet_and_its_team_are_the_same_answer_from_both_sides() -> None:
    """As many developers as one GPU serves want one GPU; the inventory serves the sum."""
    parser = Parser(prog="cato plan")
    plan.configure(parser)
    found = {name: find_profile_file(name, DEFAULT_MODEL) for name in ("l40s", "a10")}
    files = [read_profile_file(path) for path in found.values() if path is not None]
    prices, there = Prices("EUR", {"l40s": Price(1.0)}), {"l40s": 1, "a10": 2}
    with CellPool(1) as pool:
        planner = Planner(parser.parse(["--developers", "1", *QUICK]), pool, lambda _: None)
        people = {f.hardware: planner.people_on(f, there[f.hardware]).developers for f in files}
        for file in files:
            needed = planner.for_people(file, people[file.hardware]).count
            assert needed is not None
            assert needed <= there[file.hardware]
        of_all = plan_inventory(planner, there, files, prices, None)
        assert of_all.developers == sum(people.values()) > 0
        for asked, is_enough in ((of_all.developers, True), (of_all.developers + 1, False)):
            assert plan_inventory(planner, there, files, prices, asked).is_enough is is_enough
        for_one = plan_inventory(planner, there, files, prices, 1)
    assert [(each.gpu, each.used) for each in for_one.kinds] == [("l40s", 1), ("a10", 0)]
    assert for_one.kinds[0].developers == people["l40s"]


def test_the_gpus_of_a_file_are_counted_by_kind(
    listed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, found = planned(capsys, "--inventory", listed, "--developers", "1")
    assert status == 0
    assert {each["gpu"]: each["there"] for each in found["gpus"]} == {"l40s": 1}
    assert found["gpus"][0]["used"] == 1
    assert found["gpus"][0]["cost_per_hour"] > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no GPU is listed"),
        ('[[gpus]]\ngpu = "x"\nmemory_gb = 9', r"has no profile on any of x, or .* fit.*h100"),
        ('[[gpus]]\ngpu = "x"', r"gpus\.0\.memory_gb: missing"),
    ],
)
def test_an_inventory_that_carries_nothing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    file = tmp_path / "gpus.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        planned(capsys, "--inventory", str(file))


def test_a_question_without_a_demand_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="--developers, --rate, --replicas or --inventory"):
        planned(capsys, "--gpu", "l40s")
