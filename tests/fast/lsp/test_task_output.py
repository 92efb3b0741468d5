"""What `cato task` writes and prints of a result."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cato_backend.wire.tasks import TaskKind
from cato_lsp.commands.arguments import CommandFailed, FileRange
from cato_lsp.commands.task_output import Terminal, check_room, show_result, write_result
from cato_lsp.syntax import open_document
from cato_lsp.tasks.docstrings import Insertion
from cato_lsp.tasks.jobs import Job, Outcome, TaskResult
from cato_lsp.tasks.selection import Selection
from cato_lsp.text import Snapshot

RESULT = TaskResult(Outcome.OK, title="the fix")


def opened(path: Path) -> Snapshot:
    with path.open(newline="") as file:
        return open_document(path.resolve().as_uri(), "python", 1, file.read()).snapshot()


def job_of(snapshot: Snapshot, kind: TaskKind = TaskKind.FIX) -> Job:
    return Job(kind, Selection((), "x"), snapshot, None, "id", 0.0)


def write(path: Path, *edits: Insertion) -> None:
    snapshot = opened(path)
    write_result(job_of(snapshot), FileRange(snapshot, None, path), RESULT, edits)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    file, link = tmp_path / "real" / "a.py", tmp_path / "b.py"
    file.write_text("x = 1\n")
    link.symlink_to(file)
    write(link, Insertion(4, 5, "2"))
    assert link.is_symlink()
    assert file.read_text() == "x = 2\n"
    assert [each.name for each in file.parent.iterdir()] == ["a.py"]


def test_without_an_edit_nothing_is_said_to_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    before = file.stat().st_ino
    write(file)
    assert file.stat().st_ino == before
    assert "written" not in capsys.readouterr().err


@pytest.mark.parametrize("odd", ["\x0c", "\u2028", "\x1c", "\x85"])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_a_diff_of_odd_characters_is_one_that_patch_applies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], odd: str, end: str
) -> None:
    file = tmp_path / "a.py"
    text = f"a = '{odd}'\nx = 1{end}"
    file.write_bytes(text.encode())
    at = text.index("1")
    arguments = argparse.Namespace(json=False, write=False)
    show_result(arguments, job_of(opened(file)), RESULT, (Insertion(at, at + 1, "2"),), shown="")
    diff = capsys.readouterr().out
    patch = ("patch", "-p1", "--binary")
    subprocess.run(patch, cwd=tmp_path, input=diff.encode(), check=True, capture_output=True)
    assert file.read_bytes().decode() == text.replace("1", "2")


@pytest.mark.parametrize(
    ("pieces", "text", "out"),
    [
        (["a ", "b"], "a b", "a b\n"),
        (["a ", "b\n"], "a b", "a b\n"),
        (["a.", "B"], "a.\n\nB", "a.B\n"),
        (["a\n\n\n", "b"], "a\n\nb", "a\n\n\nb\n"),
        (["a\n\n\n"], "a\n\nb c", "a\n\n\n\n\nb c\n"),
        (["a"], "a b", "a b\n"),
        ([], "a b", "a b\n"),
        (["a ", "c"], "a b", "a ca b\n"),
    ],
)
def test_the_terminal_ends_with_the_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pieces: list[str], text: str, out: str
) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    terminal = Terminal(silent=False, shows_text=True)
    for piece in pieces:
        terminal.delta(piece)
    arguments = argparse.Namespace(json=False, write=False)
    job = job_of(opened(file), TaskKind.TRANSLATION)
    show_result(arguments, job, replace(RESULT, text=text), (), shown=terminal.shown)
    told = capsys.readouterr()
    assert told.out == out
    assert ("differs" in told.err) == (pieces == ["a ", "c"])


def test_an_answer_that_is_void_does_not_count_as_shown() -> None:
    terminal = Terminal(silent=False, shows_text=True)
    terminal.delta("a")
    terminal.restart("b")
    terminal.delta("c")
    assert terminal.shown == "bc"


def test_what_is_kept_of_an_answer_is_not_written_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = Terminal(silent=False, shows_text=True)
    for piece in ("one ", "tow "):
        terminal.delta(piece)
    terminal.restart("one ")
    terminal.delta("two")
    assert terminal.shown == "one two"
    assert capsys.readouterr().out == "one tow two"


@pytest.mark.parametrize(("is_terminal", "out"), [(True, "a]52;c;b\tc\n"), (False, None)])
def test_a_terminal_is_given_no_commands_by_a_model(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
    out: str | None,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    text = "a\x1b]52;c;b\x07\tc\r\x9b"
    file = tmp_path / "a.py"
    file.write_text("x = 1\n")
    terminal = Terminal(silent=False, shows_text=True)
    terminal.delta(text[:4])
    arguments = argparse.Namespace(json=False, write=False)
    job = job_of(opened(file), TaskKind.EXPLANATION)
    show_result(arguments, job, replace(RESULT, text=text), (), shown=terminal.shown)
    assert capsys.readouterr().out == (text + "\n" if out is None else out)


async def test_an_error_behind_a_text_begins_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(silent=False, shows_text=True)

    async def broken_off() -> None:
        async with terminal.ticking():
            terminal.delta("a")
            raise CommandFailed("the backend broke off its answer")

    with pytest.raises(CommandFailed):
        await broken_off()
    assert capsys.readouterr().out == "a\n"


def test_tests_that_have_no_room_are_refused_beforehand(tmp_path: Path) -> None:
    path = tmp_path / "sums.py"
    path.write_text("def add(a, b): return a + b\n")
    snapshot = opened(path)
    job, place = job_of(snapshot, TaskKind.TESTS), FileRange(snapshot, None, path)
    check_room(job, place)
    (tmp_path / "test_sums.py").write_text("mine\n")
    with pytest.raises(CommandFailed, match=r"test_sums\.py exists already"):
        check_room(job, place)
