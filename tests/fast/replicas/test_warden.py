"""The warden with real processes: nothing of an engine is left, however its end comes about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cato_backend.rotating_file import RotatingFile
from tests.fast.replicas.processes import (
    Deaths,
    family_command,
    read_family,
    start_warden,
    warden_command,
)

BACKEND = """
import subprocess, sys
warden = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
print(warden.pid, flush=True)
warden.wait()
"""

POLITE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
open(sys.argv[1], "w").close()
signal.pause()
"""


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A FIFO: reading it waits until the family is complete."""
    path = tmp_path / "pids"
    os.mkfifo(path)
    return path


@pytest.fixture
def pids() -> Iterator[list[int]]:
    """Processes to end should a test fail."""
    started: list[int] = []
    yield started
    for pid in started:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_closing_the_pipe_ends_all(tmp_path: Path, report: Path, pids: list[int]) -> None:
    warden = start_warden(tmp_path / "log", family_command(report))
    pids += read_family(report)
    deaths = Deaths.of(pids)
    assert warden.stdin is not None
    warden.stdin.close()
    assert deaths.all_within(10)
    assert warden.wait(10) == 128 + signal.SIGKILL


def test_sigkill_of_the_backend_ends_all(tmp_path: Path, report: Path, pids: list[int]) -> None:
    command = warden_command(tmp_path / "log", family_command(report))
    backend = subprocess.Popen([sys.executable, "-c", BACKEND, *command], stdout=subprocess.PIPE)
    assert backend.stdout is not None
    pids += [int(backend.stdout.readline()), *read_family(report)]
    deaths = Deaths.of(pids)
    backend.kill()
    backend.wait()
    assert deaths.all_within(10)


def test_sigterm_of_the_warden_ends_all(tmp_path: Path, report: Path, pids: list[int]) -> None:
    warden = start_warden(tmp_path / "log", family_command(report))
    pids += read_family(report)
    deaths = Deaths.of(pids)
    warden.terminate()
    assert deaths.all_within(10)
    warden.wait(10)


def test_an_engine_that_ends_takes_its_children_along(
    tmp_path: Path, report: Path, pids: list[int]
) -> None:
    warden = start_warden(tmp_path / "log", family_command(report, exits_with="7"))
    family = read_family(report)
    pids += family[1:]
    assert warden.wait(10) == 7
    for pid in family[1:]:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_sigkill_of_the_warden_ends_the_engine(
    tmp_path: Path, report: Path, pids: list[int]
) -> None:
    warden = start_warden(tmp_path / "log", family_command(report))
    pids += read_family(report)
    engine = Deaths.of(pids[:1])
    warden.kill()
    warden.wait(10)
    assert engine.all_within(10)


def test_the_warden_reports_the_engines_pid_and_its_exit_status(
    tmp_path: Path, report: Path, pids: list[int]
) -> None:
    warden = start_warden(tmp_path / "log", family_command(report, exits_with="7"))
    pids += read_family(report)
    assert warden.stdout is not None
    assert [int(line) for line in warden.stdout] == [pids[0], 7]
    warden.wait(10)


def test_a_polite_engine_is_not_killed(tmp_path: Path, report: Path) -> None:
    warden = start_warden(tmp_path / "log", [sys.executable, "-c", POLITE, report], grace_s=10)
    report.read_text()
    assert warden.stdin is not None
    warden.stdin.close()
    assert warden.wait(10) == 3


def test_the_log_holds_what_the_engine_said(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "replica-1.log"
    for text in ("first", "second"):
        assert start_warden(log, ["echo", text]).wait(10) == 0
    assert log.read_text() == "second\n"
    assert log.with_name("replica-1.log.1").read_text() == "first\n"
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_log_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with RotatingFile(path, limit=100) as log:
        for number in range(100):
            log.write(b"line %02d\n" % number)
    kept = path.with_name("log.1").read_text() + path.read_text()
    assert kept.endswith("line 99\n")
    assert len(kept) <= 200


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    warden = start_warden(tmp_path / "log", ["/nonexistent/python"])
    assert warden.wait(10) != 0
    assert warden.stdout is not None
    assert warden.stdout.read() == b""
