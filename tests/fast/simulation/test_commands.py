"""`cato simulate` and `cato load`: a bad argument is refused by its name, good ones work."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.__main__ import main
from cato_lab.commands.contenders import every_split

_LOAD = ("load", "--url", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("simulate", "--policy", "best"), "--policy: got 'best', expected all, or some of"),
        (("simulate", "--ablate", "luck"), "--ablate: got 'luck', expected all, or some of late-"),
        (("simulate", "--split", "1,1,2"), "--split: got '1,1,2', expected all, or 4 counts that"),
        (("simulate", "--split", "2,1,1,1"), "--split: got '2,1,1,1', expected all, or 4 counts"),
        (("simulate", "--rates", "10,no"), "--rates: got 'no', expected a number above 0"),
        (("simulate", "--rates", "-3"), "--rates: got '-3'"),
        (("simulate", "--workload", "typing", "--developers", "x"), "--developers: got 'x'"),
        (("simulate", "--seeds", "one"), "--seeds: got 'one', expected a number of seeds"),
        (("simulate", "--duration", "0"), "--warmup: got 0.0, expected seconds from 0"),
        (("simulate", "--warmup", "90"), "--warmup: got 90.0"),
        (("simulate", "--replicas", "0"), "--replicas: got 0, expected at least 1"),
        (("simulate", "--max-running", "0"), "--max-running: got 0"),
        (("simulate", "--network-ms", "-1"), "--network-ms: got -1.0"),
        (("simulate", "--kill", "5:4"), "--kill: got '5:4', expected T:REPLICA with REPLICA from"),
        (("simulate", "--kill", "soon:1"), "--kill: got 'soon'"),
        (("simulate", "--profile", "none/none"), "--profile: got 'none/none'"),
        (("simulate", "--arrivals", "bursty"), "--arrivals: got 'bursty', expected one of poisson"),
        (("simulate", "--arrivals", "gamma:-2"), "--arrivals gamma: got '-2'"),
        (("simulate", "--arrivals", "trace"), "--trace: got nothing"),
        (("simulate", "--workload", "trace", "--trace", "/none.csv"), "/none.csv: No such file"),
        (("simulate", "--shares", "typing=1"), "--shares: got 'typing', expected TASK=N"),
        (("simulate", "--shares", "completion=0"), "--shares completion: got '0'"),
        (("simulate", "--sessions", "0"), "--sessions: got 0"),
        (("simulate", "--repeat", "1.5"), "--repeat: got 1.5, expected a share from 0 to 1"),
        ((*_LOAD, "--rate", "-1"), "--rates or --developers: got -1.0"),
        ((*_LOAD, "--warmup", "60"), "--warmup: got 60.0"),
        (
            ("load", "--url", "localhost:8700"),
            "--url: got 'localhost:8700', expected the address of",
        ),
        (
            (*_LOAD[:2], "http://127.0.0.1:9/v1/"),
            "--url: http://127.0.0.1:9: the connection was refused",
        ),
        ((*_LOAD, "--model", "m"), "--url: http://127.0.0.1:9/v1/completions does not answer"),
        (_LOAD, "--url: http://127.0.0.1:9: the connection was refused"),
    ],
)
def test_a_bad_argument_is_named(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert f"cato {arguments[0]}: {said}" in capsys.readouterr().err


def test_a_small_study_is_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace.csv"
    rows = "".join(f"{second / 10},200,20\n" for second in range(40))
    trace.write_text(f"TIMESTAMP,ContextTokens,GeneratedTokens\n{rows}")
    study = ["--policy", "round-robin", "--rates", "5", "--duration", "4", "--jobs", "1"]
    replay = ["--workload", "trace", "--trace", str(trace)]
    assert main(["simulate", *study, *replay]) == 0
    said = capsys.readouterr().out
    assert said.startswith("policy")
    assert "100.0" in said


def test_the_product_s_own_policy_is_simulated_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["simulate", "--rates", "5", "--duration", "2", "--jobs", "1"]) == 0
    headings, row = capsys.readouterr().out.splitlines()
    assert headings.split()[:3] == ["policy", "requests/s", "goodput"]
    assert row.split()[:2] == ["cato", "5"]


def test_a_study_can_take_mechanisms_away(capsys: pytest.CaptureFixture[str]) -> None:
    study = ["--policy", "round-robin,cato", "--rates", "8", "--duration", "2", "--jobs", "1"]
    extra = ["--ablate", "prefix,relegation", "--oracle", "--split", "1,1,1,1"]
    assert main(["simulate", *study, *extra]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split("  ")[0] for row in rows] == [
        "round-robin",
        "cato",
        "cato without prefix",
        "cato without relegation",
        "cato, oracle",
        "per-task 1/1/1/1",
    ]


def test_every_split_gives_each_task_a_replica() -> None:
    found = list(every_split(6, 4))
    assert len(found) == len(set(found)) == 10
    assert all(sum(split) == 6 and min(split) == 1 for split in found)
