"""The closed loop of developers, clients and routers: paired, repeatable, and right at its ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.developers import __main__ as program
from bench.developers.capacity import Cell, bar, best, rivals, served
from bench.developers.clients import CLIENTS, LanguageServer, StablePlainClient
from bench.developers.editor import Client
from bench.developers.report import report
from bench.developers.scripts import Coding, Script
from bench.developers.study import Seen, Span, System, make_scripts, play
from cato_lab.simulation.agenda import Agenda
from cato_lab.workloads.arrival import Arrival
from cato_lab.workloads.lengths import Context

SPAN = Span(duration_s=40.0, warmup_s=10.0)
CERTAIN = Coding(surprise=0.0, moves=0.0, context=Context.LEAN)
CATO = System("cato-lsp", "cato", 512)


class AnsweringDesk:
    """A backend that answers each request in 50 ms, in virtual time."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.sent: list[Arrival] = []
        self.warmed: list[Arrival] = []
        self.withdrawn: list[str] = []

    def at(self, time: float, action: Callable[[Any, float], None], argument: object) -> None:
        self.agenda.put(time, action, argument)

    def send(self, arrival: Arrival, client: Client, now: float) -> None:
        self.sent.append(arrival)
        self.agenda.put(now + 0.05, self._answer, (client, arrival.id))

    def warm(self, arrival: Arrival, now: float) -> None:
        self.warmed.append(arrival)

    def withdraw(self, request_id: str, now: float) -> None:
        self.withdrawn.append(request_id)

    def load(self) -> float:
        return 0.0

    def _answer(self, answered: tuple[Client, str], now: float) -> None:
        client, request_id = answered
        if request_id not in self.withdrawn:
            client.begun(request_id, now)
            client.answered(request_id, now)


def _type_first_line(client_type: type[Client], script: Script, gap_s: float) -> AnsweringDesk:
    """Type all keys of a script's first line but the last, with the same gap behind each."""
    desk = AnsweringDesk()
    client = client_type(script, desk)
    for cursor in range(1, script.suggestion(0).end):
        desk.agenda.put(cursor * gap_s, client.typed, cursor)
    desk.agenda.run(1000.0)
    return desk


def test_a_seed_makes_the_same_run_again() -> None:
    def once() -> Seen:
        return play(CATO, make_scripts(8, SPAN, 3, Coding()), SPAN, 3, replicas=2)

    assert once() == once()


def test_every_client_and_router_gets_the_same_keys() -> None:
    scripts = make_scripts(6, SPAN, 1, Coding())
    found = [
        play(System(client, policy, 0), scripts, SPAN, 1, replicas=2)
        for client in CLIENTS
        for policy in ("cato", "power-of-two")
    ]
    assert len({(seen.keys, seen.pauses) for seen in found}) == 1
    assert found[0].pauses > 0


def test_a_larger_team_has_the_same_first_developers() -> None:
    few, many = (make_scripts(count, SPAN, 1, Coding()) for count in (2, 4))
    for one, other in zip(few, many, strict=False):
        assert one.keys == other.keys
        assert one.files == other.files
        cursors = range(len(one.keys) + 1)
        assert [*map(one.suggestion, cursors)] == [*map(other.suggestion, cursors)]


def test_a_right_suggestion_that_is_typed_along_costs_our_client_no_request() -> None:
    script = Script(1, 0, 600.0, CERTAIN)
    keys = script.suggestion(0).end - 1
    ours = _type_first_line(LanguageServer, script, gap_s=0.3)
    plain = _type_first_line(StablePlainClient, script, gap_s=0.3)
    assert (len(ours.sent), len(plain.sent)) == (1, keys)


def test_our_client_asks_again_where_the_suggestion_departs() -> None:
    script = Script(1, 0, 600.0, Coding(surprise=1.0, moves=0.0))
    desk = _type_first_line(LanguageServer, script, gap_s=0.3)
    assert len(desk.sent) == script.suggestion(0).end - 1


def test_a_plain_client_takes_its_request_back_at_the_next_key() -> None:
    desk = _type_first_line(StablePlainClient, Script(1, 0, 600.0, CERTAIN), gap_s=0.17)
    assert desk.withdrawn == [arrival.id for arrival in desk.sent][:-1]


@pytest.mark.parametrize(("name", "shared"), [("naive150", False), ("naive150-stable", True)])
def test_only_stable_prompts_share_what_was_computed(name: str, shared: bool) -> None:
    script = Script(2, 0, 600.0, CERTAIN)
    first, *_, last = _type_first_line(CLIENTS[name], script, gap_s=0.3).sent
    assert (first.blocks[0] == last.blocks[0]) is shared


def test_our_client_warms_the_file_that_is_opened() -> None:
    script = Script(1, 0, 600.0, Coding(moves=1.0))
    desk = AnsweringDesk()
    file = script.files[1]
    LanguageServer(script, desk).opened(file, file.opened_s)
    assert [arrival.prompt_tokens for arrival in desk.warmed] == [file.tokens]


@pytest.mark.parametrize("client", CLIENTS)
def test_an_idle_fleet_serves_everybody_with_a_model_that_is_never_wrong(client: str) -> None:
    scripts = make_scripts(2, SPAN, 1, CERTAIN)
    seen = play(System(client, "cato", 0), scripts, SPAN, 1, replicas=4)
    assert seen.right_500 == seen.pauses > 0


def test_a_model_that_is_always_wrong_serves_nobody() -> None:
    scripts = make_scripts(4, SPAN, 1, Coding(surprise=1.0))
    seen = play(CATO, scripts, SPAN, 1, replicas=4)
    assert (seen.right_300, seen.right_500) == (0, 0)
    assert seen.pauses > 0


def test_a_right_suggestion_stays_right_while_it_is_typed() -> None:
    script = Script(5, 0, 300.0, Coding(surprise=0.05))
    rights = 0
    for cursor in range(len(script.keys)):
        said, then = script.suggestion(cursor), script.suggestion(cursor + 1)
        if said.fits(cursor + 1):
            assert (then.end, then.departs) == (said.end, said.departs)
            rights += then.right
    assert rights > 0


def _cell(system: System, developers: int, right: int) -> Cell:
    seen = Seen(keys=1000, pauses=100, right_300=right, right_500=right, engine_s=1.0)
    return Cell(system, developers, {1: seen, 2: seen})


def _cells(curves: dict[System, dict[int, int]]) -> list[Cell]:
    return [_cell(s, load, right) for s, curve in curves.items() for load, right in curve.items()]


def test_developers_are_served_while_the_client_keeps_nine_tenths() -> None:
    other = System("cato-lsp", "power-of-two", 512)
    cells = _cells({CATO: {25: 70, 100: 68, 200: 58}, other: {25: 70, 100: 53}})
    assert bar(cells, "cato-lsp") == pytest.approx(0.63)
    assert served(cells, CATO) == pytest.approx(150)
    assert best(cells, [other, CATO])[0] == CATO


def test_a_client_that_is_seldom_right_serves_nobody() -> None:
    naive = System("naive150", "power-of-two", 0)
    cells = _cells({naive: {25: 49, 100: 48}, CATO: {25: 70, 100: 70}})
    assert (served(cells, naive), served(cells, CATO)) == (0, 100)
    assert rivals(cells, CATO) == [naive]


def test_the_tables_name_every_system_and_the_ratio() -> None:
    plain = System("naive150-stable", "power-of-two", 0)
    cells = _cells({plain: {25: 60, 100: 30}, CATO: {25: 70, 100: 70}})
    text = report(cells, replicas=4)
    assert text.count("| naive150-stable | power-of-two | 0 |") == 3
    assert "cato-lsp cato 512 serves 2.5 times as many as naive150-stable power-of-two 0." in text


RIGHTS = {25: 80, 50: 60, 100: 80}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runs the program with one system and two seeds; nothing is simulated."""

    def played(_system: System, scripts: list[Script], *_: object) -> Seen:
        return Seen(keys=10, pauses=100, right_300=1, right_500=RIGHTS[len(scripts)])

    monkeypatch.setattr(program, "play", played)

    def main(options: str) -> None:
        words = f"--clients cato-lsp --policies cato --thresholds 0 --seeds 2 {options}"
        monkeypatch.setattr(sys, "argv", ["bench.developers", *words.split()])
        program.main()

    return main


def test_a_client_that_serves_no_more_is_not_tried_with_more(
    run: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    run("--developers 25 50 100")
    shown = capsys.readouterr()
    assert "| cato-lsp | cato | 0 | 72.0 |" in shown.out
    assert "50 developers" in shown.err
    assert "100 developers" not in shown.err


def test_loads_of_an_earlier_file_are_not_played_again(
    run: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.json"
    run(f"--developers 25 --json {kept}")
    capsys.readouterr()
    run(f"--developers 25 50 --reuse {kept} --json {kept}")
    document = json.loads(kept.read_text())
    assert [cell["developers"] for cell in document["cells"]] == [25, 50]
    assert len(document["earlier"]) == 1
    assert "25 developers" not in capsys.readouterr().err


def test_a_file_that_cannot_be_reused_is_named(
    run: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(f"--reuse {tmp_path / 'none.json'}")
    assert "none.json: expected a result file" in capsys.readouterr().err
