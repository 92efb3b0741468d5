"""What the comparison with other routers computes: slow motion, bursts, series, tables."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from typing import Any

import pytest

from bench.peers.bursts import burst_seconds, score_bursts
from bench.peers.emulators import punctual_share
from bench.peers.series import Record, Series
from bench.peers.stretched import Stretched, compressed
from bench.peers.tables import (
    ahead,
    goodput_cell,
    in_bursts,
    latency_cell,
    overall,
    p95,
    report,
    served,
)
from cato_backend.errors import ConfigError
from cato_backend.requests import Target
from cato_lab.workloads import MixWorkload, Poisson
from tests.fast.simulation.stories import E2E, TTFT, Listed, arrival, outcome


def _run(router: str, load: float, goodput: float, seed: int = 1, *, void: bool = False) -> Record:
    score = {"goodput": goodput, "ttft": {"p95": 0.4 if goodput else "never"}}
    return {
        "router": router,
        "load": load,
        "seed": seed,
        "void": void,
        "bursts": {"requests": 4, "ttft_goodput": goodput / 2, "e2e_goodput": None},
        "score": {"overall": score, "classes": {"generation": score}},
    }


def test_slow_motion_and_back_is_what_it_was() -> None:
    asked = arrival(time=2.0, target=Target(ttft_s=1.0, tpot_s=0.04), cancel_after_s=0.7)
    (slow,) = Stretched(Listed((asked,)), 3.0).arrivals(1)
    assert slow.target == Target(ttft_s=3.0, tpot_s=pytest.approx(0.12))
    assert (slow.time, slow.target.ttft_s, slow.cancel_after_s) == pytest.approx((6.0, 3.0, 2.1))
    answered = outcome(slow, first_token_s=1.5, ended_s=4.5)._replace(queue_s=0.3)
    back = compressed(answered, 3.0)
    assert back.arrival.time == pytest.approx(asked.time)
    assert back.arrival.target.ttft_s == pytest.approx(1.0)
    assert back.arrival.target.tpot_s == pytest.approx(0.04)
    assert (back.first_token_s, back.ended_s, back.queue_s) == pytest.approx((0.5, 1.5, 0.1))
    assert back.met == answered.met


def test_slow_motion_asks_the_same() -> None:
    workload = MixWorkload(Poisson(20.0), 5.0)
    plain, slow = list(workload.arrivals(3)), list(Stretched(workload, 2.0).arrivals(3))
    assert [a.blocks for a in slow] == [a.blocks for a in plain]
    assert [a.time for a in slow] == pytest.approx([2 * a.time for a in plain])


def test_a_burst_is_twice_the_mean() -> None:
    even = [second + part / 4 for second in range(10) for part in range(4)]
    assert burst_seconds(even, 10.0) == frozenset()
    assert burst_seconds([*even, *(3.5 for _ in range(12))], 10.0) == {3}
    assert burst_seconds([], 10.0) == frozenset()


def test_a_burst_is_scored_by_the_kind_of_target() -> None:
    def at(time: float, target: Any, seconds: float) -> Any:
        answered = arrival(time=time, target=target)
        return outcome(answered, first_token_s=seconds, ended_s=seconds)

    calm = [at(float(second), TTFT, 9.0) for second in range(10)]
    burst = [at(4.5, TTFT, 0.5), at(4.5, TTFT, 1.5), at(4.6, E2E, 1.0)]
    found = score_bursts([*calm, *burst], 10.0)
    assert (found.seconds, found.requests) == (1, 4)
    assert found.ttft_goodput == pytest.approx(1 / 3, abs=1e-3)
    assert found.e2e_goodput == 1.0
    assert score_bursts(calm, 10.0).ttft_goodput is None


def test_steps_before_the_run_do_not_count() -> None:
    before = {0.005: 90.0, 0.01: 95.0, inf: 100.0}
    after = {0.005: 140.0, 0.01: 175.0, inf: 200.0}
    assert punctual_share(before, after) == 0.5
    assert punctual_share(before, after, 2.0) == 0.8
    assert punctual_share(before, before) == 1.0


def test_a_series_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    series = Series(path, {"duration": 40.0}, {"cpu": "two"})
    series.read()
    series.add(_run("a", 20, 0.9))
    series.add(_run("b", 20, 0.0, void=True))
    again = Series(path, {"duration": 40.0}, {"cpu": "two"})
    again.read()
    assert again.has("a", 20, 1)
    assert not again.has("a", 20, 2)
    assert not again.has("b", 20, 1)
    again.add(_run("b", 20, 0.8))
    assert [run["router"] for run in json.loads(path.read_text())["runs"]] == ["a", "b"]
    assert again.has("b", 20, 1)


def test_a_series_of_another_workload_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    Series(path, {"duration": 40.0}, {}).add(_run("a", 20, 0.9))
    with pytest.raises(ConfigError, match=r"runs\.json: got .*40\.0.* expected runs of .*60\.0"):
        Series(path, {"duration": 60.0}, {}).read()


def test_void_runs_are_told_and_count_for_nothing() -> None:
    runs = [
        _run("a", 20, 0.9),
        _run("a", 20, 0.8, 2),
        _run("a", 20, 0.1, 3, void=True),
        _run("b", 20, 0.5, void=True),
    ]
    assert goodput_cell(runs, "a", 20, overall) == "85.0 ± 63.5 (1 void)"
    assert goodput_cell(runs, "b", 20, overall) == "(void)"
    assert goodput_cell(runs, "c", 20, overall) == ""
    assert goodput_cell(runs, "a", 20, in_bursts("e2e_goodput")) == "(1 void)"


@pytest.mark.parametrize(
    ("goodputs", "expected"),
    [
        ({10: 0.99, 20: 0.97, 30: 0.93}, ("=", 25.0)),
        ({10: 0.99, 20: 0.97}, (">", 20)),
        ({10: 0.90}, ("<", 10)),
        ({}, ("<", inf)),
    ],
)
def test_the_load_served_lies_between_those_measured(
    goodputs: dict[int, float], expected: tuple[str, float]
) -> None:
    runs = [_run("a", load, goodput) for load, goodput in goodputs.items()]
    sign, load = served(runs, "a")
    assert sign == expected[0]
    assert load == pytest.approx(expected[1])


def test_ahead_is_paired_by_seed_and_of_the_best_peer() -> None:
    runs = [
        *(_run("cato", 20, 0.9 + seed / 100, seed) for seed in (1, 2, 3)),
        *(_run("good", 20, 0.8 + seed / 100, seed) for seed in (1, 2, 3)),
        _run("bad", 20, 0.2),
        _run("cato round-robin", 20, 0.99),
    ]
    assert ahead(runs, "cato", 20, overall) == ("good", "+10.0 ± 0.0")
    assert ahead(runs, "cato", 30, overall) is None


def test_a_missing_answer_has_no_time() -> None:
    runs = [_run("a", 20, 0.0), _run("b", 20, 0.9)]
    assert latency_cell(runs, "a", 20, p95("generation", "ttft")) == "never"
    assert latency_cell(runs, "b", 20, p95("generation", "ttft")) == "400"
    assert latency_cell(runs, "b", 20, p95("summarization", "e2e")) == ""


def test_the_report_has_every_router_and_load() -> None:
    runs = [_run(name, load, 0.9) for name in ("cato", "peer") for load in (20, 32)]
    told = report(runs)
    assert "| goodput % | 20 | 32 | load with 95% |" in told
    assert "| peer | 90.0 | 90.0 | < 20 |" in told
    assert "| at 32 | generation % | TTFT classes in bursts % |" in told
    assert "| cato ahead of the best peer | +0.0 | +0.0 |  |" in told
