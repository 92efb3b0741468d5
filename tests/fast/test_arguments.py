"""The arguments of every subcommand: what is wrong is said before any work, in one line."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import redirect_stdout, suppress
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from cato_backend.__main__ import main
from cato_backend.commands.arguments import (
    Parser,
    above_zero,
    at_least,
    not_negative,
    output_file,
    output_file_of,
    output_folder,
    port,
    share,
)
from cato_backend.commands.overview import GROUP

_NOWHERE = "http://127.0.0.1:9"
_LOAD = ("load", "--url", _NOWHERE)
_PROFILE = ("profile", "--url", _NOWHERE)
_EXPORT = ("profile", "--from-backend", _NOWHERE)


def refusal(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of arguments that are refused: one line."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    "before",
    [
        ("simulate", "--out"),
        (*_LOAD, "--out"),
        (*_PROFILE, "--out"),
        (*_PROFILE, "--plot"),
        (*_PROFILE, "--samples"),
        (*_EXPORT, "--out"),
    ],
)
@pytest.mark.parametrize("name", ["file/x.svg", ""])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    before: tuple[str, ...], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    path = str(tmp_path / name) if name else ""
    assert f"argument {before[-1]}: " in refusal((*before, path), capsys)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"/proc/x cannot be written: No such"):
        output_folder("/proc/x")


def test_a_format_that_is_not_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"ends with \.svg, \.png"):
        output_file_of(".svg", ".png")(str(tmp_path / "x.bmp"))


def test_outputs_are_checked_without_a_trace(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text("{}")
    assert output_file(str(old)) == old
    assert output_file(str(tmp_path / "new.json")).parent == tmp_path
    assert output_folder(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    assert output_file("/dev/null") == Path("/dev/null")
    assert [each.name for each in tmp_path.iterdir()] == ["old.json"]
    assert old.read_text() == "{}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("simulate", "--workload", "typing", "--rates", "5"), "--rates: only with --workload mix"),
        (("simulate", "--developers=5"), "--developers: only with --workload typing"),
        (("simulate", "--breaks"), "--breaks: only with --workload typing"),
        (("simulate", "--trace", "x"), "--trace: only with --workload trace or --arrivals trace"),
        (
            ("simulate", "--workload", "trace", "--shares", "completion=1", "--context", "lean"),
            "--shares: only with --workload mix",
        ),
        ((*_LOAD, "--workload", "typing", "--rate", "5"), "--rate: only with --workload mix"),
        ((*_LOAD, "--replicas", "2"), "--replicas: only with --profile"),
        (("emulate", "--profile", "x", "--step-ms", "20"), "--step-ms: not with --profile"),
        (("emulate", "--error-rate", "0.1"), "--error-rate: only with --corpus"),
        (("emulate", "--profile", "x", "--itl-ms", "5"), "--itl-ms: not with --profile"),
        (("emulate", "--corpus", "x", "--reply", "y"), "--reply: not with --corpus"),
        ((*_EXPORT, "--rounds", "2", "--quick"), "--quick, --rounds: not with --from-backend"),
        ((*_PROFILE, "--replica", "a"), "--replica: only with --from-backend"),
        (("profile", "--model", "x", "--engine-pid", "1"), "--engine-pid: only with --url"),
        (("plan", "--rate", "1", "--plot", "p.svg"), "--plot: only with --developers"),
        (("plan", "--rate", "1", "--profile", "x", "--gpu", "h100"), "--gpu: not with --profile"),
        (("serve", "--colocated", "--host", "::1"), "--host: not with --colocated"),
        (("serve", "--colocated", "--port", "8700"), "--port: not with --colocated"),
        (("serve", "--min-replicas", "2"), "--min-replicas: only with --max-replicas"),
        (("emulate", "--ttft-ms", "1", "--step-ms", "1"), "--step-ms: not with --ttft-ms"),
    ],
)
def test_options_that_would_have_no_effect_are_refused(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"cato {arguments[0]}: {said}" in refusal(arguments, capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("emulate", "--port", "99999"), "--port: got 99999, expected a port from 0 to 65535"),
        (("serve", "--port", "-1"), "--port: got -1, expected a port"),
        (("emulate", "--speed", "fast"), "--speed: got fast, expected a number above 0"),
        (("emulate", "--step-ms", "nan"), "--step-ms: got nan, expected a number, 0 or more"),
        (("emulate", "--fault", "die:soon"), "--fault: got die:soon, expected KIND or KIND:TOKENS"),
        ((*_PROFILE, "--rounds", "0"), "--rounds: got 0, expected a whole number, 1 or more"),
        ((*_LOAD, "--drain", "-1"), "--drain: got -1, expected a number, 0 or more"),
        ((*_LOAD, "--profile", "x", "--replicas", "0"), "--replicas: got 0"),
        (("stats", "--days", "-1"), "--days: got -1, expected a number of days above 0"),
        (("simulate", "--dur", "5"), "unrecognized arguments: --dur 5"),
    ],
)
def test_numbers_have_bounds_and_options_their_full_names(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refusal(arguments, capsys)


def test_numbers_within_their_bounds_are_read() -> None:
    assert (at_least(2)("2"), port("0"), share("1")) == (2, 0, 1.0)
    assert (not_negative("0"), above_zero("0.5")) == (0.0, 0.5)


@pytest.mark.parametrize("name", sorted(point.name for point in entry_points(group=GROUP)))
def test_help_shows_each_default_once(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith(f"usage: cato {name}")
    assert "(default: [])" not in said
    assert "(default: )" not in said
    for entry in said.split(" --"):
        assert entry.count("(default: ") <= 1


def test_a_default_of_zero_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="cato test")
    parser.add_argument("--warmup", type=float, default=0.0, metavar="S", help="seconds")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="default: 7")
    parser.print_help()
    said = capsys.readouterr().out
    assert "seconds (default: 0.0)" in said
    assert said.count("7") == 1


def test_the_overview_begins_with_what_a_person_wants(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "serve a model to your editors" in lines[3]
    listed = {line.split()[0] for line in lines if line.startswith("  ")}
    assert {point.name for point in entry_points(group=GROUP)} <= listed


def test_an_unknown_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no command 'sereve': expected complete" in refusal(("sereve",), capsys)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("team", "set", "web", "--priority", "20"), "a whole number from -10 to 10"),
        (("token", "create", "x", "--person", "a", "--role", "king"), "one of user, lead, admin"),
    ],
)
def test_words_and_ranges_are_named_in_full(
    arguments: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert f"got {arguments[-1]}, expected {expected}" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CATO_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert main(("engine", "install", "cpu")) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"cato engine: {tmp_path}")
    assert said.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /dev/full")
def test_an_output_that_is_full_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    # To close it is to try once more.
    with suppress(OSError), Path("/dev/full").open("w") as full, redirect_stdout(full):
        assert main(("model", "list")) == 1
    assert capsys.readouterr().err == (
        "cato model: its output cannot be written: No space left on device\n"
    )


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = f"{sys.executable} -m cato_backend model list"
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output:
        ended = subprocess.run(command.split(), stdout=output, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (1, b"")
