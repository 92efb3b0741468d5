"""Where the result of `cato task` goes: the terminal, the file that it is about, or a new one."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from dataclasses import replace
from pathlib import Path

from cato_backend.wire.tasks import TaskKind
from cato_lsp.commands.arguments import CommandFailed, FileRange
from cato_lsp.tasks.docstrings import Insertion
from cato_lsp.tasks.edits import applied, test_file_name
from cato_lsp.tasks.jobs import DocumentEdit, Job, TaskResult
from cato_lsp.text import Encoding


def write_result(
    job: Job, place: FileRange, result: TaskResult, edits: tuple[Insertion, ...]
) -> None:
    """Changes the file, or writes the tests beside it. Raises CommandFailed."""
    if job.kind is TaskKind.TESTS:
        path = place.path.with_name(test_file_name(place.path.name, job.language_id))
        _create(path, result.text.rstrip() + "\n")
        return
    if not edits:
        return
    with place.path.open(encoding="utf-8", newline="") as file:
        if file.read() != job.snapshot.text:
            raise CommandFailed(f"{place.path} was changed meanwhile: nothing was written")
    _replace(place.path, applied(job.snapshot.text, edits))


def _create(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise CommandFailed(f"{path} exists already: nothing was written") from error
    sys.stderr.write(f"[written to {path}]\n")


def _replace(path: Path, text: str) -> None:
    """Whole or not at all. A link stays one: what it leads to is replaced."""
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
    """Prints the result, of which `shown` stands on the terminal already, and on stderr what is
    missing of it."""
    if arguments.json:
        print(json.dumps(replace(result, edits=_told(job, edits)).body()))
    elif edits and not arguments.write:
        sys.stdout.write(_diff(job, edits))
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
    """All of it where something else was shown: a translation before its repair, or the texts of
    several units without what joins them."""
    if text.startswith(shown):
        print(text[len(shown) :])
    elif text.strip() != shown.strip():
        sys.stdout.flush()
        sys.stderr.write("\n[the result differs from the text above:]\n")
        print(text)


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
    """The lines with their ends, as `patch` counts them: LF alone ends one."""
    *lines, last = text.split("\n")
    return [*(f"{line}\n" for line in lines), *([last] if last else [])]
