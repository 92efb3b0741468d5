"""`cato task VERB FILE[:RANGE]`: a whole task, without an editor."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from cato_backend.wire.tasks import Diagnostic, TaskKind
from cato_lsp.backend.calls import ClientIds, new_request_id
from cato_lsp.commands.arguments import (
    CommandFailed,
    FileRange,
    add_backend_arguments,
    connected,
    read_range,
    settings_of,
)
from cato_lsp.commands.task_progress import Terminal
from cato_lsp.settings.settings import Settings
from cato_lsp.syntax.parts import syntax_errors
from cato_lsp.tasks.docstrings import Insertion
from cato_lsp.tasks.edits import applied, edits_of, test_file_name
from cato_lsp.tasks.jobs import DocumentEdit, Job, Outcome, TaskResult
from cato_lsp.tasks.kinds import VERBS
from cato_lsp.tasks.running import run_job
from cato_lsp.tasks.selection import NothingSelected, select
from cato_lsp.tasks.target_languages import UnknownLanguage, target_language
from cato_lsp.text import Encoding

SUMMARY = "summarize, translate, document, explain, test, fix or generate code of a file"
CLIENT_IDS = ClientIds("cato-task", "cato-task")
EPILOG = """\
FILE is the whole file, FILE:LINE the function or class there, FILE:FIRST-LAST these lines.
Exit status: 0 done, 1 no result, 3 a result of which a part is missing (named on stderr).
"""
_EDITS = (TaskKind.DOCUMENTATION, TaskKind.FIX, TaskKind.GENERATION)
"""Results that belong into the file: shown as a diff, written with --write."""
INCOMPLETE = 3
"""The exit status where a unit failed and the rest is there."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("task", choices=sorted(VERBS))
    parser.add_argument("place", metavar="FILE[:RANGE]", help="lines are counted from 1")
    parser.add_argument("--to", metavar="LANGUAGE", help="translate: to this language, such as go")
    parser.add_argument(
        "--instruction", metavar="TEXT", help="generate: what is wanted (else the comment there)"
    )
    parser.add_argument(
        "--diagnostic",
        metavar="[LINE:]TEXT",
        action="append",
        default=[],
        help="fix: what is wrong (else the syntax errors); may be given several times",
    )
    parser.add_argument("--language", help="LSP language id (else from the file's suffix)")
    parser.add_argument("--json", action="store_true", help="one JSON object, at the end")
    parser.add_argument(
        "--write",
        action="store_true",
        help="document, fix, generate: change the file; test: write a new file beside it",
    )
    add_backend_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Does the task and shows its result; returns the exit status."""
    try:
        return asyncio.run(_run(arguments))
    except (CommandFailed, NothingSelected) as failure:
        sys.stderr.write(f"cato task: {failure}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("cato task: cancelled\n")
        return 130


async def _run(arguments: argparse.Namespace) -> int:
    kind = VERBS[arguments.task].kind
    target = _target(kind, arguments.to)
    if arguments.write and kind not in (*_EDITS, TaskKind.TESTS):
        raise CommandFailed(f"--write: the result of {arguments.task} has no place in a file")
    settings = settings_of(arguments)
    place = read_range(arguments.place, arguments.language, settings.privacy)
    job = _job(kind, place, target, arguments)
    shows = not arguments.json and kind not in _EDITS and sys.stdout.isatty()
    result = await _work(settings, job, Terminal(silent=arguments.json, shows_text=shows))
    if result.outcome is not Outcome.OK:
        raise CommandFailed(result.message)
    edits = edits_of(kind, job.units, _texts(result), job.snapshot) if kind in _EDITS else ()
    if arguments.write:
        _write(job, place, result, edits)
    _show(arguments, job, result, edits, shown=shows)
    return INCOMPLETE if result.failed else 0


def _target(kind: TaskKind, name: str | None) -> str | None:
    if kind is not TaskKind.TRANSLATION:
        if name:
            what = "; a summary is in English" if kind is TaskKind.SUMMARIZATION else ""
            raise CommandFailed(f"--to: only to translate{what}")
        return None
    if not name:
        raise CommandFailed("--to LANGUAGE is needed to translate, for instance --to go")
    try:
        return target_language(name)
    except UnknownLanguage as error:
        raise CommandFailed(f"--to: {error}") from error


def _job(
    kind: TaskKind, place: FileRange, target: str | None, arguments: argparse.Namespace
) -> Job:
    selection = select(place.snapshot, kind, place.chosen, arguments.instruction or "")
    job = Job(kind, selection, place.snapshot, target, new_request_id(), time.perf_counter())
    if kind is not TaskKind.FIX:
        return job
    first = place.snapshot.lines.line_at(place.chosen.start if place.chosen else 0) + 1
    given = [_diagnostic(text, first) for text in arguments.diagnostic]
    found = [Diagnostic(row + 1, what) for row, what in syntax_errors(place.snapshot)]
    if not (given or found):
        raise CommandFailed(
            "there is no syntax error here: say what is wrong with --diagnostic [LINE:]TEXT"
        )
    return replace(job, diagnostics=tuple(given or found))


def _diagnostic(text: str, line: int) -> Diagnostic:
    number, colon, message = text.partition(":")
    if colon and number.strip().isdecimal():
        return Diagnostic(int(number), message.strip())
    return Diagnostic(line, text.strip())


async def _work(settings: Settings, job: Job, terminal: Terminal) -> TaskResult:
    async with connected(settings) as connection, terminal.ticking():
        return await run_job(job, connection, CLIENT_IDS, settings.targets, terminal)


def _texts(result: TaskResult) -> list[str]:
    return [unit.text for unit in result.units]


def _write(job: Job, place: FileRange, result: TaskResult, edits: tuple[Insertion, ...]) -> None:
    if job.kind is TaskKind.TESTS:
        path = place.path.with_name(test_file_name(place.path.name, job.language_id))
        _create(path, result.text.rstrip() + "\n")
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
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.cato")
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
    beside.chmod(path.stat().st_mode)
    beside.replace(path)
    sys.stderr.write(f"[written to {path}]\n")


def _show(
    arguments: argparse.Namespace,
    job: Job,
    result: TaskResult,
    edits: tuple[Insertion, ...],
    *,
    shown: bool,
) -> None:
    if arguments.json:
        print(json.dumps(replace(result, edits=_told(job, edits)).body()))
    elif edits and not arguments.write:
        sys.stdout.write(_diff(job, edits))
    elif not (shown or edits):
        print(result.text)
    for unit in result.failed:
        sys.stderr.write(f"cato task: {unit.name}: {unit.problem}\n")
    if result.message:
        sys.stderr.write(f"cato task: {result.message}\n")
    if not arguments.json:
        late = "" if result.met else ", later than its target"
        sys.stderr.write(f"[{result.title}: {result.elapsed_ms} ms{late}]\n")


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
    old, new = (text.splitlines(keepends=True) for text in (before, applied(before, edits)))
    name = Path(job.uri).name
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    )
