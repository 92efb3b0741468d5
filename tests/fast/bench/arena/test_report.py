"""The arithmetic of leads, and what the report says of them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from bench.arena.demand import Arrivals
from bench.arena.play import Known, Match, Played, Share, play, play_at
from bench.arena.records import read_known, record
from bench.arena.report import Spread, after_start, leads, of_class, tables, world_table
from bench.arena.worlds import world
from cato_backend.errors import ConfigError
from cato_backend.wire.headers import Task

_WORLD = world(1)


def _played(met: int, counted: int = 100, completions: Share | None = None) -> Played:
    classes = {} if completions is None else {Task.COMPLETION: completions}
    return Played(Share(met, counted), classes, Share(met // 2, counted // 2), 1.0)


def _match(number: int, load: float, **played: Played) -> Match:
    found = replace(_WORLD, number=number, load=load)
    names = {name.replace("_", "-"): each for name, each in played.items()}
    return Match(found, 10.0, 10.0 * load, 60.0, 100, names)


MATCHES = [
    _match(1, 0.5, cato=_played(90), edf=_played(80), round_robin=_played(95)),
    _match(2, 1.5, cato=_played(70), edf=_played(60), round_robin=_played(50)),
]


def test_the_lead_is_over_the_best_other_policy_of_each_world() -> None:
    found = leads(MATCHES, "cato")
    assert [(lead.points, lead.baseline) for lead in found] == [
        (-5.0, "round-robin"),
        (10.0, "edf"),
    ]


def test_a_class_is_compared_with_the_baseline_that_is_best_overall() -> None:
    match = _match(
        1,
        0.5,
        cato=_played(90, completions=Share(30, 50)),
        edf=_played(80, completions=Share(50, 50)),
        round_robin=_played(85, completions=Share(40, 50)),
    )
    (lead,) = leads([match], "cato", of_class(Task.COMPLETION))
    assert (lead.points, lead.baseline) == (-20.0, "round-robin")


def test_parts_with_too_few_requests_are_left_out() -> None:
    few = Share(1, 5)
    match = _match(1, 0.5, cato=_played(90, completions=few), edf=_played(80, completions=few))
    assert leads([match], "cato", of_class(Task.COMPLETION)) == []
    assert leads([match], "cato", of_class(Task.AGENT)) == []
    assert len(leads([match], "cato", after_start)) == 1


def test_the_spread_names_its_worst_and_its_twentieth() -> None:
    matches = [_match(n, 1.0, cato=_played(50 + n), edf=_played(50)) for n in range(-3, 37)]
    spread = Spread.of(leads(matches, "cato"))
    assert (spread.worlds, spread.mean, spread.median) == (40, 16.5, 16.0)
    assert (spread.p5, spread.worst) == (-2.0, -3.0)
    assert spread.ahead == pytest.approx(37 / 40)


def test_the_tables_name_the_worst_worlds_and_how_to_replay_them() -> None:
    text = tables(MATCHES, "cato")
    rows = {line.rsplit("  ", 1)[0].split("  ")[0]: line.split() for line in text.splitlines()}
    assert rows["all worlds"][2:7] == ["2", "+2.5", "-5.0", "-5.0", "-5.0"]
    assert rows["above the knee"][3:7] == ["1", "+10.0", "+10.0", "+10.0"]
    assert "python -m bench.arena --world 1" in text
    worst = text[text.index("worst worlds") :]
    assert worst.index("--world 1") < worst.index("--world 2")


def test_a_report_is_read_again_but_for_what_is_played_anew(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(record(MATCHES, "cato")))
    assert json.loads(path.read_bytes())["leads"] == {"1": -5.0, "2": 10.0}
    known = read_known(path, ["cato"])
    assert known[2].played == {
        name: played for name, played in MATCHES[1].played.items() if name != "cato"
    }
    assert (known[2].knee, known[2].duration_s) == (10.0, 60.0)


def test_a_report_of_other_requests_is_refused() -> None:
    known = Known(knee=3.0, duration_s=5.0, requests=1, played={})
    with pytest.raises(ConfigError, match="requests of world 11"):
        play(11, ["round-robin"], [1], known)


def test_a_match_is_repeated_from_the_number_of_its_world() -> None:
    policies = ("round-robin", "least-requests")
    number = next(n for n in count(1) if world(n).demand.arrivals is Arrivals.POISSON)
    first, again = (play_at(world(number), 20.0, 10.0, policies, (1,)) for _ in range(2))
    assert [_shares(each) for each in first.played.values()] == [
        _shares(each) for each in again.played.values()
    ]
    assert first.requests > 10
    assert all(
        p.overall.counted == sum(s.counted for s in p.classes.values())
        for p in first.played.values()
    )
    assert "round-robin" in world_table(first)


def _shares(played: Played) -> tuple[Share, object, Share]:
    return played.overall, played.classes, played.start
