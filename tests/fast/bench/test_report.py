"""The page of figures: it says what the result files say, and judges by one rule."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench.machine import command, save
from bench.report.__main__ import made
from bench.report.blocks import ROOT, filled
from bench.report.claims import Claim, Target, Verdict, lead, mean, middle, single
from bench.report.page import commit_of
from bench.report.sources import RESULTS, SOURCES

PAGES = made()
ORIGIN = ("commit", "command", "at", "machine")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_its_result_files(page: Path) -> None:
    """If this fails: `python -m bench.report`."""
    assert page.read_text(encoding="utf-8") == PAGES[page]


def test_every_result_file_is_on_the_page() -> None:
    kept = {path.stem for path in RESULTS.glob("*.json")}
    assert kept == {source.name for source in SOURCES if source.exists()}


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_result_file_names_commit_command_and_machine(path: Path) -> None:
    origin = json.loads(path.read_text(encoding="utf-8"))["origin"]
    assert all(origin[field] for field in ORIGIN)
    assert origin["commit"] != "unknown" or re.fullmatch(r"[0-9a-f]{7,}", origin["added_in"])
    assert "-dirty" not in origin["commit"]
    assert not re.search(r"(^|[\s=])/(?!usr/lib/)", origin["command"])


def test_a_program_writes_where_a_result_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    save(path, {"rows": [1]})
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["rows"] == [1]
    assert set(document["origin"]) == set(ORIGIN)
    assert document["origin"]["machine"]["cpu"]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["/x/python", "-m", "bench.chaos", "--seeds", "5"], "python -m bench.chaos --seeds 5"),
        (["python", "-m", "a", "--json", "/x/out.json", "--b"], "python -m a --b"),
        (["python", "-m", "a", "--out=/x/out.json", "b c"], "python -m a 'b c'"),
        (["python", "-m", "a", "/x/trace.csv"], "python -m a trace.csv"),
    ],
)
def test_a_command_is_told_without_outputs_and_places(argv: list[str], told: str) -> None:
    assert command(argv) == told


@pytest.mark.parametrize(
    ("ours", "others", "figure", "verdict"),
    [
        ([0.9, 0.91], [[0.8, 0.81]], "+10.0 ± 0.0 points over 0", Verdict.AHEAD),
        ([0.8, 0.81], [[0.9, 0.91]], "-10.0 ± 0.0 points over 0", Verdict.BEHIND),
        ([0.9, 0.8], [[0.8, 0.9]], "+0.0 ± 127.1 points over 0", Verdict.LEVEL),
        ([0.9, 0.9], [[0.1, 0.1], [0.8, 0.8]], "+10.0 ± 0.0 points over 1", Verdict.AHEAD),
        ([0.9], [[0.95]], "-5.0 points over 0", Verdict.BEHIND),
    ],
)
def test_a_lead_is_over_the_best_other_by_seed(
    ours: list[float], others: list[list[float]], figure: str, verdict: Verdict
) -> None:
    rivals = {str(number): dict(enumerate(values)) for number, values in enumerate(others)}
    assert lead("x", dict(enumerate(ours)), rivals) == Claim("x", figure, verdict=verdict)


def test_seeds_that_only_one_side_has_are_left_out() -> None:
    found = lead("x", {1: 0.9, 2: 0.1}, {"other": {1: 0.8}})
    assert found == Claim("x", "+10.0 points over other", verdict=Verdict.AHEAD)


@pytest.mark.parametrize(
    ("target", "value", "verdict", "told"),
    [
        (Target(most=5), 5.0, Verdict.MET, "≤ 5"),
        (Target(most=5), 5.01, Verdict.MISSED, "≤ 5"),
        (Target(least=95), 94.9, Verdict.MISSED, "≥ 95"),
        (Target(88, 92), 90.0, Verdict.MET, "88 to 92"),
        (Target(88, 92), 93.0, Verdict.MISSED, "88 to 92"),
    ],
)
def test_a_target_is_met_or_missed(
    target: Target, value: float, verdict: Verdict, told: str
) -> None:
    assert (target.verdict(value), str(target)) == (verdict, told)


def test_figures_have_their_spread() -> None:
    assert mean("x", [1.0, 2.0, 3.0], "%").figure == "2.0 ± 2.5%"
    assert middle("x", [1.0, 2.0, 9.0], "ms").figure == "2.00 (1.00 to 9.00) ms"
    assert single("x", 3.14, "s", Target(most=3)).verdict is Verdict.MISSED


def test_a_commit_that_is_not_known_has_a_bound() -> None:
    assert commit_of({"commit": "1234567"}) == "1234567"
    assert commit_of({"commit": "unknown", "added_in": "89abcde"}) == "unknown, at most 89abcde"


def test_a_page_without_a_place_for_a_block_is_refused() -> None:
    block = "<!-- made by bench.report: x: {} -->"
    text = f"a\n{block.format('begin')}\nold\n{block.format('end')}\nb"
    assert "old" not in filled(text, "x", "new")
    assert filled(text, "x", "new").startswith("a\n")
    with pytest.raises(ValueError, match="found 0"):
        filled("nothing", "x", "new")
