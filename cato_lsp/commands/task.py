"""`cato task VERB FILE[:RANGE]`: a whole task of a file or of changes, without an editor."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
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
    add_privacy_arguments,
    connected,
    read_range,
    settings_of,
)
from cato_lsp.commands.task_output import Terminal, check_room, show_result, write_result
from cato_lsp.session.privacy import Privacy
from cato_lsp.settings.settings import PrivacySettings, Settings
from cato_lsp.syntax import open_document
from cato_lsp.syntax.units import Unit, syntax_errors
from cato_lsp.tasks.edits import Placed, edits_of
from cato_lsp.tasks.jobs import Job, Outcome, TaskResult
from cato_lsp.tasks.kinds import VERBS, UnknownLanguage, target_language
from cato_lsp.tasks.running import run_job
from cato_lsp.tasks.selection import NothingSelected, Selection, select
from cato_lsp.text import Snapshot

SUMMARY = "summarize, translate, document, explain, test, fix or generate code of a file"
CLIENT_IDS = ClientIds("cato-task", "cato-task")
EPILOG = """\
FILE is the whole file, FILE:LINE the function or class there, FILE:FIRST-LAST these lines.
Exit status: 0 done, 1 no result, 3 a result of which a part is missing (named on stderr).
"""
_EDITS = (TaskKind.DOCUMENTATION, TaskKind.FIX, TaskKind.GENERATION)
"""Results that belong into the file: shown as a diff, written with --write."""
_OF_CHANGES = (TaskKind.SUMMARIZATION, TaskKind.EXPLANATION)
INCOMPLETE = 3
"""The exit status where a unit failed and the rest is there."""
_CHANGES_URI = "cato:changes.diff"
_GIT_S = 30.0
_DIFF = ("diff", "HEAD", "--submodule=short")
"""Other formats, which may be configured, print files of submodules, which nothing has checked."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("task", choices=sorted(VERBS))
    parser.add_argument("place", metavar="FILE[:RANGE]", nargs="?", help="lines are counted from 1")
    parser.add_argument(
        "--changes",
        action="store_true",
        help="summarize, explain: the uncommitted changes, of FILE or of the repository",
    )
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
    add_privacy_arguments(parser)
    add_backend_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do the task and show its result; return the exit status."""
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
    place = None if arguments.changes else _place(arguments, settings)
    job = (
        _job_of_changes(kind, arguments, settings)
        if place is None
        else _job(kind, place, target, arguments)
    )
    if arguments.write and kind is TaskKind.TESTS and place is not None:
        check_room(job, place)
    shows = not arguments.json and _streams(job) and sys.stdout.isatty()
    terminal = Terminal(silent=arguments.json, shows_text=shows)
    result = await _work(settings, job, terminal)
    if result.outcome is not Outcome.OK:
        raise CommandFailed(result.message)
    placed = Placed()
    if kind in _EDITS:
        placed = edits_of(kind, job.units, result.units, job.snapshot, job.snapshot)
    edits = placed.edits
    if placed.left_out:
        result = replace(result, message="; ".join(placed.left_out))
    if arguments.write and kind is TaskKind.TESTS and (refusal := _not_whole(result)):
        result = replace(result, message=refusal)
    elif arguments.write and place is not None:
        write_result(job, place, result, edits)
    show_result(arguments, job, result, edits, shown=terminal.shown)
    return INCOMPLETE if result.failed or placed.left_out else 0


def _streams(job: Job) -> bool:
    """Return whether the result is what its pieces were.

    It is not if it becomes a diff, or if imports are brought together at its top.
    """
    if job.kind is TaskKind.TRANSLATION:
        return len(job.units) == 1
    return job.kind not in (*_EDITS, TaskKind.TESTS)


def _not_whole(result: TaskResult) -> str:
    """Return why the code of the result would be broken in a file; empty if it would not be."""
    cut = [
        f"the tests for {unit.name} are not whole" for unit in result.failed if unit.text.strip()
    ]
    return f"nothing was written: {', '.join(cut)}" if cut else ""


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


def _place(arguments: argparse.Namespace, settings: Settings) -> FileRange:
    if arguments.place is None:
        raise CommandFailed("name a FILE, FILE:LINE or FILE:FIRST-LAST, or use --changes")
    return read_range(arguments.place, arguments.language, settings.privacy)


def _job_of_changes(kind: TaskKind, arguments: argparse.Namespace, settings: Settings) -> Job:
    if kind not in _OF_CHANGES:
        raise CommandFailed(f"--changes: only to summarize and explain, not to {arguments.task}")
    path = None if arguments.place is None else Path(arguments.place)
    snapshot, selection = read_changes(path, settings.privacy)
    return Job(kind, selection, snapshot, None, new_request_id(), time.perf_counter())


def read_changes(path: Path | None, settings: PrivacySettings) -> tuple[Snapshot, Selection]:
    """Return the uncommitted changes as a document, and as one unit of it.

    These are the changes in `path`, or in the repository of the current folder. Raises
    CommandFailed.
    """
    place = Path.cwd() if path is None else path.resolve()
    root = Path(_git(_folder(place), "rev-parse", "--show-toplevel").rstrip("\n"))
    only = [] if path is None else ["--", str(place)]
    names = _git(root, *_DIFF, "--name-only", "--no-renames", "-z", *only)
    privacy = Privacy(settings, [root])
    wanted = [name for name in names.split("\0") if name and not privacy.reason(root / name)]
    if not wanted:
        raise CommandFailed("there are no uncommitted changes that may be sent to a model")
    text = _git(root, *_DIFF, "--no-color", "--no-ext-diff", "--", *wanted)
    snapshot = open_document(_CHANGES_URI, "diff", 1, text).snapshot()
    unit = Unit("", "set of uncommitted changes", text, 0, len(text))
    return snapshot, Selection((unit,), "uncommitted changes")


def _folder(place: Path) -> Path:
    return place if place.is_dir() else place.parent


def _git(folder: Path, *arguments: str) -> str:
    """Run git and return what it prints. Raises CommandFailed."""
    # A name such as `*` stands for that file alone, not for all that it matches as a pattern.
    command = ["git", "--literal-pathspecs", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_S)
    except FileNotFoundError as error:
        raise CommandFailed("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"git did not end within {_GIT_S:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise CommandFailed(f"git: {said[0] if said else 'it failed'}")
    return done.stdout.decode(errors="replace")


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
