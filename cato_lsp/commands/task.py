"""`cato task summarize|translate FILE:LINE`: a whole task, without an editor."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

from cato_backend.wire.headers import Task
from cato_lsp.backend.answers import outcome_of
from cato_lsp.backend.calls import Sender, new_request_id
from cato_lsp.commands import connecting
from cato_lsp.commands.failures import CommandFailed
from cato_lsp.commands.places import FileLocation, read_place
from cato_lsp.settings.settings import Settings
from cato_lsp.syntax.units import unit_at
from cato_lsp.tasks.jobs import Job, Outcome, TaskResult, call_for, result_of
from cato_lsp.tasks.target_languages import UnknownLanguage, target_language

SUMMARY = "summarize or translate the function at a place in a file"
SENDER = Sender("cato-task", "cato-task")
TASKS = {"summarize": Task.SUMMARIZATION, "translate": Task.TRANSLATION}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("place", metavar="FILE:LINE", help="counted from 1")
    parser.add_argument("--to", metavar="LANGUAGE", help="translate: to this language, such as go")
    parser.add_argument("--language", help="LSP language id (else from the file's suffix)")
    parser.add_argument("--json", action="store_true", help="one JSON object, at the end")
    connecting.configure(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints the result as it comes, then a line of times; returns the exit status."""
    try:
        result = asyncio.run(_run(arguments))
    except CommandFailed as failure:
        sys.stderr.write(f"cato task: {failure}\n")
        return 1
    if arguments.json:
        print(json.dumps(result.body()))
    else:
        sys.stderr.write(f"\n[{result.title}: {result.elapsed_ms} ms]\n")
    return 0


async def _run(arguments: argparse.Namespace) -> TaskResult:
    task = TASKS[arguments.task]
    target = _target(task, arguments.to)
    settings = connecting.settings_of(arguments)
    place = read_place(arguments.place, arguments.language, settings.privacy)
    return await _work(settings, _job(task, place, target), silent=arguments.json)


def _target(task: Task, name: str | None) -> str | None:
    if task is Task.SUMMARIZATION:
        if name:
            raise CommandFailed("--to: only to translate; a summary is in English")
        return None
    if not name:
        raise CommandFailed("--to LANGUAGE is needed to translate, for instance --to go")
    try:
        return target_language(name)
    except UnknownLanguage as error:
        raise CommandFailed(f"--to: {error}") from error


def _job(task: Task, place: FileLocation, target: str | None) -> Job:
    unit = unit_at(place.snapshot, place.offset)
    if unit is None:
        raise CommandFailed("there is no function or class at this place")
    return Job(
        task=task,
        unit=unit,
        uri=place.snapshot.uri,
        language_id=place.snapshot.language_id,
        target_language=target,
        request_id=new_request_id(),
        asked_at_s=time.perf_counter(),
    )


async def _work(settings: Settings, job: Job, *, silent: bool) -> TaskResult:
    async with connecting.connected(settings) as connection:
        if job.task not in connection.model.tasks:
            url = connection.client.target.url
            raise CommandFailed(f"the backend at {url} offers no {job.task}")
        call = call_for(job, SENDER, settings.targets, connection.model, connection.round_trip_ms)
        stream = connection.client.open(call, cancels=connection.model.cancels)
        text = await outcome_of(stream, _Terminal(silent=silent))
        return result_of(job, Outcome.OK, text=text)


class _Terminal:
    """Shows the pieces as they come; progress goes to stderr."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    def report(self, message: str, percentage: int | None) -> None:
        """The work goes on."""
        if not self._silent and percentage is not None:
            sys.stderr.write(f"[{message}, {percentage}%]\n")

    def delta(self, text: str) -> None:
        """A piece of the result."""
        if not self._silent:
            sys.stdout.write(text)
            sys.stdout.flush()

    def restart(self, text: str) -> None:
        """The pieces so far are void."""
        if not self._silent:
            sys.stderr.write("\n[the answer cannot be used: once more]\n")
        self.delta(text)
