"""The scheduler over engine models: small runs with known answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from cato_backend.requests import Target
from cato_backend.scheduling import make_policy
from cato_lab.report import study_record, write_page
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.simulation.cell_pool import run_cells
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import SimulatedRun, Simulator
from cato_lab.simulation.study import Cell, Contender, knee, points, run_cell, study_table
from cato_lab.workloads import (
    Arrival,
    DeveloperWorkload,
    MixWorkload,
    Poisson,
    Workload,
)
from cato_lab.workloads.arrival import OracleLengths
from tests.fast.simulation.stories import Listed, arrival

_WIRE_S = 0.001


def _run(
    workload: Workload, policy: str = "least-requests", replicas: int = 1, **of: object
) -> SimulatedRun:
    fleet = Fleet(replicas=replicas, network_s=_WIRE_S, **of)  # type: ignore[arg-type]
    return Simulator(make_policy(policy), fleet).run(workload, seed=1)


def _only(*asked: Arrival, **of: object) -> list[Outcome]:
    return _run(Listed(asked), **of).outcomes  # type: ignore[arg-type]


def test_an_unloaded_request_takes_what_the_law_says() -> None:
    (found,) = _only(arrival(prompt_tokens=160, output_tokens=11))
    # 20 ms and 160 x 0.1 ms for the prompt, ten further steps of 20.1 ms, the wire both ways.
    assert found.first_token_s == pytest.approx(0.036 + 2 * _WIRE_S)
    assert found.e2e_s == pytest.approx(0.036 + 10 * 0.0201 + 2 * _WIRE_S)
    assert (found.tokens, found.queue_s, found.cached_tokens) == (11, 0.0, 0)


def test_a_repeated_prompt_is_found_in_the_cache() -> None:
    blocks = tuple(range(10))
    first, second = _only(
        arrival("a", 0.0, blocks=blocks), arrival("b", 2.0, blocks=blocks), replicas=1
    )
    assert (first.cached_tokens, second.cached_tokens) == (0, 144)
    assert second.first_token_s is not None
    assert first.first_token_s is not None
    assert second.first_token_s < first.first_token_s


def test_a_cancelled_request_frees_its_replica() -> None:
    patient = arrival("b", 1.0, output_tokens=5)
    long = arrival("a", 0.0, output_tokens=60, cancel_after_s=0.5)
    cancelled, served = _only(long, patient, max_running=1)
    assert (cancelled.ending, cancelled.ended_s) == (Ending.CANCELLED, 0.5)
    assert served.ending is Ending.FINISHED
    assert served.queue_s == 0.0


def test_what_a_newer_request_replaced_was_taken_back() -> None:
    """It is met where its first token came in time while it was wanted."""
    asked = (
        arrival(name, time, output_tokens=60)._replace(document="d", supersede=True)
        for name, time in (("a", 0.0), ("b", 0.5))
    )
    older, newer = _only(*asked)
    assert (older.arrival.id, older.ending, older.reason) == ("a", Ending.CANCELLED, "superseded")
    assert older.met
    assert newer.ending is Ending.FINISHED


def test_a_prompt_beyond_the_context_is_refused() -> None:
    (found,) = _only(arrival(prompt_tokens=40_000))
    assert (found.ending, found.reason) == (Ending.REJECTED, "too_long")


def test_unwanted_requests_expire_in_the_queue() -> None:
    hurried = Target(ttft_s=0.1, worthless_after_s=0.2)
    asked = [arrival("a", output_tokens=60), arrival("b", 0.01, target=hurried)]
    outcomes = _only(*asked, max_running=1)
    assert next((o.arrival.id, o.ending, o.reason) for o in outcomes) == (
        "b",
        Ending.REJECTED,
        "expired",
    )


def test_an_answer_is_resumed_when_its_replica_dies() -> None:
    asked = arrival("a", output_tokens=60)
    (whole,) = _only(asked, replicas=2)
    (found,) = _only(asked, replicas=2, kills=((0.7, 0),))
    assert found.ending is Ending.FINISHED
    assert found.tokens == 60
    assert whole.e2e_s is not None
    assert found.e2e_s is not None
    assert found.e2e_s > whole.e2e_s
    assert found.first_token_s == whole.first_token_s


def test_every_request_has_one_outcome_and_runs_are_reproducible() -> None:
    workload = DeveloperWorkload(20, duration_s=15.0)
    asked = [a.id for a in workload.arrivals(1)]
    first = _run(workload, "prefix-affinity", replicas=2, kills=((5.0, 1),))
    second = _run(workload, "prefix-affinity", replicas=2, kills=((5.0, 1),))
    assert sorted(o.arrival.id for o in first.outcomes) == sorted(asked)
    assert first == second
    assert 0 < first.busy_s <= 30.0


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return [
        Cell(
            Contender("least-requests"),
            rate,
            seed,
            MixWorkload(Poisson(rate), 3.0),
            Fleet(replicas=1),
        )
        for rate in (2.0, 40.0)
        for seed in (1, 2, 3)
    ]


def test_an_interrupt_from_the_terminal_ends_a_study_at_once_and_without_a_traceback() -> None:
    code = (
        "import time\n"
        "from cato_lab.simulation.cell_pool import CellPool, _interrupts_held\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        with CellPool(2) as pool:\n"
        "            with _interrupts_held():\n"
        "                pool._pool.submit(time.sleep, 600)\n"
        "                seven = pool._pool.submit(int, 7)\n"
        "            print(seven.result(), flush=True)\n"
        "            time.sleep(600)\n"
        "    except KeyboardInterrupt:\n"
        "        print('interrupted')\n"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
        # A shell starts what runs in the background with interrupts ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "7\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.communicate(timeout=60) == ("interrupted\n", "")


def test_processes_of_a_study_end_with_the_command_that_is_killed() -> None:
    """A reader of the pipe that they inherited sees its end only when all of them are gone."""
    code = (
        "import time\n"
        "from cato_lab.simulation.cell_pool import CellPool\n"
        "if __name__ == '__main__':\n"
        "    with CellPool(2) as pool:\n"
        "        pool._pool.submit(time.sleep, 600)\n"
        "        print(pool._pool.submit(int, 7).result(), flush=True)\n"
        "        time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "7\n"
        process.kill()
        assert process.stdout.read() == ""


def test_a_study_becomes_table_page_and_json(cells: list[Cell], tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    results = run_cells(cells, 1, lambda done, of: progress.append((done, of)))
    assert progress[-1] == (6, 6)
    found = points(results)
    assert [point.load for point in found] == [2.0, 40.0]
    assert "least-requests" in study_table(found, "requests/s")
    settings = {"replicas": 2, "profile": "p<1>", "workload": "mix", "duration_s": 3.0}
    assert len(study_record(results, settings)["runs"]) == 6
    page = tmp_path / "report.html"
    write_page(page, found, settings, "requests/s")
    text = page.read_text(encoding="utf-8")
    assert text.count("<svg") == 6
    assert "p&lt;1&gt;" in text
    assert not any(loaded in text for loaded in ("<script", "<link", "src=", 'href="http'))


def test_overload_is_beyond_the_knee(cells: list[Cell]) -> None:
    few = [cells[0], cells[3]]
    found = points([run_cell(cell) for cell in few])
    light, heavy = (point.over(lambda score: score.overall.goodput).mean for point in found)
    assert light > 0.9 > heavy
    assert 2.0 < knee(found, goodput=0.9) < 40.0


def test_contenders_are_what_they_are_called(cells: list[Cell]) -> None:
    """The same requests: whole, with a mechanism off, and as the reference bound."""
    contenders = [
        Contender("cato"),
        Contender("cato", without=("relegation",)),
        Contender("cato", oracle=True),
    ]
    results = [run_cell(replace(cells[3], contender=each)) for each in contenders]
    names = [result.policy for result in results]
    assert names == ["cato", "cato without relegation", "cato, oracle"]
    whole, ablated, told = (result.score.overall for result in results)
    assert whole.relegated > ablated.relegated == 0
    assert told.counted == whole.counted
    assert told.met != whole.met


def test_the_oracle_tells_true_lengths() -> None:
    workload = MixWorkload(Poisson(20.0), 3.0)
    told = OracleLengths.of(workload, 1)
    assert all(told.output_tokens(a.id) == a.output_tokens for a in workload.arrivals(1))
