"""Output of `cato task`: progress and result to the terminal, edits and tests to files."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import re
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cato_backend.wire.tasks import TaskKind
from cato_lsp.backend.task_answers import TaskProgress
from cato_lsp.commands.arguments import CommandFailed, FileRange
from cato_lsp.tasks.docstrings import Insertion
from cato_lsp.tasks.edits import applied, test_file_name
from cato_lsp.tasks.jobs import DocumentEdit, Job, TaskResult
from cato_lsp.text import Encoding

_FIRST_S, _EVERY_S = 0.5, 0.5
_EVERY_LINE_S = 5.0
"""Where each report takes a line of its own, as in a log."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All but tabs and line ends: a terminal would obey them."""


class Terminal:
    """The terminal: progress on standard error, and pieces of the result on standard output.

    Pieces are written where `shows_text`. Progress is one line that is written over, or a line
    every few seconds where standard error is no terminal.
    """

    def __init__(self, *, silent: bool, shows_text: bool) -> None:
        self._silent = silent
        self._shows_text = shows_text
        self._is_terminal = sys.stderr.isatty()
        self._begun = time.perf_counter()
        self._progress = TaskProgress("asking")
        self.shown = ""
        """The pieces of the result that were written, without those that are void."""
        self._has_text = False
        self._has_line = False

    @asynccontextmanager
    async def ticking(self) -> AsyncGenerator[None]:
        """Show progress while the context lasts, from the first half second on."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        except BaseException:
            self._break_off()
            raise
        finally:
            ticking.cancel()
            self._clear()

    def report(self, progress: TaskProgress) -> None:
        """Take a report of how far the work is."""
        self._progress = progress

    def delta(self, text: str) -> None:
        """Write a piece of the result."""
        if self._shows_text:
            self._clear()
            self._has_text = True
            self.shown += text
            _write_out(text)
            sys.stdout.flush()

    def restart(self, text: str) -> None:
        """Report that the pieces so far are void, and begin with `text`.

        What of that stands on the terminal is not written again.
        """
        if not self._shows_text:
            return
        self.shown = text if self.shown.startswith(text) else ""
        sys.stderr.write("\n[the answer cannot be used: asking again]\n")
        if self.shown != text:
            self.delta(text)

    async def _tick(self) -> None:
        await asyncio.sleep(_FIRST_S)
        while not self._silent:
            # A line in the middle of the text would be taken for a part of it.
            if not self._has_text:
                self._write(f"[{self._progress.text}, {time.perf_counter() - self._begun:.1f} s]")
            await asyncio.sleep(_EVERY_S if self._is_terminal else _EVERY_LINE_S)

    def _write(self, line: str) -> None:
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
            self._has_line = True
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def _break_off(self) -> None:
        """End the line of a text whose rest does not come: an error follows."""
        if self.shown and not self.shown.endswith("\n"):
            _write_out("\n")
            sys.stdout.flush()

    def _clear(self) -> None:
        if self._has_line:
            sys.stderr.write("\r\x1b[K")
            self._has_line = False


def check_room(job: Job, place: FileRange) -> None:
    """Raise CommandFailed where a new file of tests has no room, before the model is asked."""
    path = _tests_of(job, place)
    if path.exists():
        raise CommandFailed(f"{path} exists already: move it away, or leave out --write")


def write_result(
    job: Job, place: FileRange, result: TaskResult, edits: tuple[Insertion, ...]
) -> None:
    """Change the file, or write the tests beside it. Raises CommandFailed."""
    if job.kind is TaskKind.TESTS:
        _create(_tests_of(job, place), result.text.rstrip() + "\n")
        return
    if not edits:
        return
    with place.path.open(encoding="utf-8", newline="") as file:
        if file.read() != job.snapshot.text:
            raise CommandFailed(f"{place.path} was changed meanwhile: nothing was written")
    _replace(place.path, applied(job.snapshot.text, edits))


def _tests_of(job: Job, place: FileRange) -> Path:
    return place.path.with_name(test_file_name(place.path.name, job.language_id))


def _create(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise CommandFailed(f"{path} exists already: nothing was written") from error
    sys.stderr.write(f"[written to {path}]\n")


def _replace(path: Path, text: str) -> None:
    """Replace the file, whole or not at all. A link stays one: what it leads to is replaced."""
    path = path.resolve()
    beside = path.with_name(f".{path.name}.cato")
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
    beside.chmod(path.stat().st_mode)
    beside.replace(path)
    sys.stderr.write(f"[written to {path}]\n")


def show_result(
    arguments: argparse.Namespace,
    job: Job,
    result: TaskResult,
    edits: tuple[Insertion, ...],
    *,
    shown: str,
) -> None:
    """Print the result, and on standard error what is missing of it.

    `shown` is the part that stands on the terminal already.
    """
    if arguments.json:
        print(json.dumps(replace(result, edits=_told(job, edits)).body()))
    elif edits and not arguments.write:
        _write_out(_diff(job, edits))
    elif not edits:
        _print_rest(result.text, shown)
    for unit in result.failed:
        sys.stderr.write(f"cato task: {unit.name}: {unit.problem}\n")
    if result.message:
        sys.stderr.write(f"cato task: {result.message}\n")
    if not arguments.json:
        # A result with a unit missing is not met, even in time.
        late = "" if result.met or result.failed else ", later than its target"
        sys.stderr.write(f"[{result.title}: {result.elapsed_ms} ms{late}]\n")


def _print_rest(text: str, shown: str) -> None:
    """Print what is not on the terminal yet.

    That is the whole text if something else was shown, such as a translation before its repair.
    """
    rest = _rest(text, shown)
    if rest is None:
        sys.stdout.flush()
        sys.stderr.write("\n[the result differs from the text above:]\n")
        _write_out(f"{text}\n")
    elif rest or not shown.endswith("\n"):
        _write_out(f"{rest}\n")


def _write_out(text: str) -> None:
    """Write to standard output; to a terminal, without what it would take for commands."""
    sys.stdout.write(_CONTROLS.sub("", text) if sys.stdout.isatty() else text)


def _rest(text: str, shown: str) -> str | None:
    """Return what follows `shown` in the text; None if the text does not begin so.

    White space may differ: the parts of a long unit are joined only in the result.
    """
    solid = "".join(shown.split())
    if text.startswith(shown) or not solid:
        return text.removeprefix(shown)
    if not "".join(text.split()).startswith(solid):
        return None
    ends = [character.end() for character in re.finditer(r"\S", text)]
    return text[ends[len(solid) - 1] :]


def _told(job: Job, edits: tuple[Insertion, ...]) -> tuple[DocumentEdit, ...]:
    snapshot = job.snapshot
    return tuple(
        DocumentEdit(
            snapshot.version,
            snapshot.position(edit.start, Encoding.UTF16),
            snapshot.position(edit.end, Encoding.UTF16),
            edit.text,
        )
        for edit in edits
    )


def _diff(job: Job, edits: tuple[Insertion, ...]) -> str:
    before = job.snapshot.text
    old, new = map(_lines, (before, applied(before, edits)))
    name = Path(job.uri).name
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    )


def _lines(text: str) -> list[str]:
    """Return the lines with their ends, as `patch` counts them: LF alone ends one."""
    *lines, last = text.split("\n")
    return [*(f"{line}\n" for line in lines), *([last] if last else [])]
