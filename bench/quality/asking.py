"""Asking as the product does: completions as an editor gets them, and whole tasks."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from cato_backend.wire.tasks import Diagnostic, TaskKind
from cato_lsp.backend.calls import ClientIds, new_request_id
from cato_lsp.backend.link import Connection
from cato_lsp.backend.task_answers import TaskProgress
from cato_lsp.commands.arguments import FileLocation
from cato_lsp.commands.complete import complete
from cato_lsp.settings.settings import Settings, Targets
from cato_lsp.syntax import open_document
from cato_lsp.tasks.edits import edits_of
from cato_lsp.tasks.jobs import Job, Outcome, TaskResult
from cato_lsp.tasks.running import run_job
from cato_lsp.tasks.selection import TextRange, select
from cato_lsp.text import Snapshot

_IDS = ClientIds("cato-quality", "cato-quality")
_PATIENT_MS = 600_000
"""How fast answers come is measured elsewhere."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a task said, and its document with the result, where that belongs into it."""

    text: str
    document: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked about, and what came."""

    prompt: str
    answer: str


class Client:
    """Asks one served model. Raises BackendFailure."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.exchanges: list[Exchange] = []
        patient = Targets(*(_PATIENT_MS,) * 4)
        self._settings = Settings(targets=patient)

    async def completion(self, before: str, after: str) -> str:
        """Return what is suggested between the two parts of a Python file."""
        place = FileLocation(_python(before + after), len(before))
        report = await complete(self._settings, self._connection, place, lambda text: None)
        self.exchanges.append(Exchange(before + after, report.text))
        return report.text

    async def task(
        self,
        kind: TaskKind,
        text: str,
        name: str,
        *,
        target: str | None = None,
        diagnostic: Diagnostic | None = None,
    ) -> Answer:
        """Return what the task answers about the function of this name in a Python file."""
        snapshot = _python(text)
        at = text.index(f"def {name}(")
        selection = select(snapshot, kind, TextRange(at, at))
        job = Job(kind, selection, snapshot, target, new_request_id(), time.perf_counter())
        job = replace(job, diagnostics=(diagnostic,) if diagnostic else ())
        result = await run_job(job, self._connection, _IDS, self._settings.targets, _Silent())
        self.exchanges.append(Exchange(job.units[0].text, result.text))
        return _answer(job, result)


def _python(text: str) -> Snapshot:
    return open_document("file:///quality/maths.py", "python", 1, text).snapshot()


def _answer(job: Job, result: TaskResult) -> Answer:
    text = job.snapshot.text
    if result.outcome is not Outcome.OK:
        return Answer("", text, result.message)
    placed = edits_of(job.kind, job.units, result.units, job.snapshot, job.snapshot)
    for edit in reversed(placed.edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    problems = [*placed.left_out, *(unit.problem for unit in result.failed)]
    return Answer(result.text, text, "; ".join(problems))


class _Silent:
    def report(self, progress: TaskProgress) -> None:
        """Ignore how far the work is."""

    def delta(self, text: str) -> None:
        """Ignore a piece of the result."""

    def restart(self, text: str) -> None:
        """Ignore that the pieces so far are void."""
