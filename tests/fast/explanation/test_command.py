"""`cato why` over files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cato_backend.commands.arguments import Parser
from cato_backend.commands.why import configure, run
from cato_backend.errors import ConfigError
from cato_backend.runtime.event_log import EventLog
from cato_backend.scheduling import (
    Finished,
    Limits,
    Progressed,
    ReplicaUp,
    Scheduler,
    Submitted,
    make_policy,
)
from cato_backend.scheduling.journal import OutcomeNote
from tests.fast.scheduling.stories import MODEL, request


def write(path: Path, names: list[str], limit: int = 1_000_000) -> None:
    """One run of a server: one request after another, each with two tokens."""
    scheduler = Scheduler(make_policy("cato"))
    with EventLog(path, limit, "cato", Limits()) as log:
        events = [ReplicaUp("a", MODEL, 2)]
        for number, name in enumerate(names, start=1):
            events.append(Submitted(request(name, arrival=number)))
            events.append(Progressed(name, 1, 2))
            events.append(Finished(name, 1))
        for time, event in enumerate(events):
            now = (time + 2) / 3
            log.note(event, scheduler.handle(event, now), now)
        for name in names[-1:]:
            log.add(OutcomeNote(name, "met"), now)


def why(path: Path, name: str, *options: str) -> int:
    """The command's exit status."""
    parser = Parser(prog="cato why")
    configure(parser)
    return run(parser.parse([name, "--event-log", str(path), *options]))


def test_a_request_is_told_in_words_and_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "log", ["r1", "r2"])
    assert why(tmp_path / "log", "r2") == 0
    told = capsys.readouterr().out
    assert told.startswith("It was not late: its first token came after 333 ms")
    assert "r2: generation for m, came at 20" in told
    assert why(tmp_path / "log", "r2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "met"


def test_the_log_of_a_running_server_may_end_in_mid_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "log", ["r1", "r2"])
    data = (tmp_path / "log").read_bytes()
    at = data.index(b'"event":"Finished"', data.index(b'"id":"r2"'))
    (tmp_path / "log").write_bytes(data[: at + 5])
    assert why(tmp_path / "log", "r2") == 0
    assert "It has not ended: a has it" in capsys.readouterr().out


def test_the_file_before_is_read_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "log", ["r1", "r2", "r3"])
    size = (tmp_path / "log").stat().st_size
    write(tmp_path / "log", ["r1", "r2", "r3"], limit=size * 2 // 3)
    assert b'"id":"r1"' in (tmp_path / "log.1").read_bytes()
    for name in ("r1", "r3"):
        assert why(tmp_path / "log", name) == 0
        assert "its first token came after 333 ms" in capsys.readouterr().out


def test_a_request_of_the_run_before_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "log", ["old", "both"])
    write(tmp_path / "log", ["both", "new"])
    assert why(tmp_path / "log", "old") == 0
    capsys.readouterr()
    assert why(tmp_path / "log", "both") == 0
    assert "2 requests of the log have this id; this is the latest" in capsys.readouterr().out


def test_an_id_that_is_not_there_is_named(tmp_path: Path) -> None:
    write(tmp_path / "log", ["r1"])
    with pytest.raises(ConfigError, match=r"log: no request 'r9' begins there; requests that were"):
        why(tmp_path / "log", "r9")


def test_a_log_whose_beginning_is_gone_is_named(tmp_path: Path) -> None:
    names = [f"r{number}" for number in range(30)]
    write(tmp_path / "log", names, limit=6000)
    with pytest.raises(ConfigError, match="no request 'r0' begins there; the log has rotated"):
        why(tmp_path / "log", "r0")


def test_a_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"log: No such file.*started with --event-log\?"):
        why(tmp_path / "log", "r1")
    (tmp_path / "log").write_text("{}\n")
    with pytest.raises(ConfigError, match=r"log: line 1.*expected the head of an event log"):
        why(tmp_path / "log", "r1")


def test_a_whole_task_is_told_by_its_calls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "log", ["job.0~1", "job.1~1", "job.x", "other"])
    assert why(tmp_path / "log", "job") == 0
    told = capsys.readouterr().out
    assert told.startswith("job is a whole task of 2 calls\n  job.0: It was not late")
    assert why(tmp_path / "log", "job", "--json") == 0
    calls = json.loads(capsys.readouterr().out)["calls"]
    assert [call["request_id"] for call in calls] == ["job.0", "job.1"]
    assert why(tmp_path / "log", "job.1") == 0
    assert "job.1: generation for m, came at" in capsys.readouterr().out
