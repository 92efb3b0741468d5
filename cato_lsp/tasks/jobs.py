"""One whole task, a summary or a translation, from the unit to its result."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cato_backend.wire import tasks as wire
from cato_backend.wire.headers import Task
from cato_backend.wire.tasks import TaskRequest
from cato_lsp.backend.answers import Listener, outcome_of
from cato_lsp.backend.calls import Call, Sender, task_call
from cato_lsp.backend.failures import BackendFailure, outdates_the_connection
from cato_lsp.decisions.classify import summary_tokens, translated_tokens
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax.units import Unit
from cato_lsp.text import Position, with_lf

if TYPE_CHECKING:
    from cato_lsp.backend.models import Model
    from cato_lsp.session.session import Session


class Outcome(StrEnum):
    """How a task ended."""

    OK = "ok"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A task that a person asked for, about one unit of one document."""

    task: Task
    unit: Unit
    uri: str
    language_id: str
    target_language: str | None
    request_id: str
    asked_at_s: float

    @property
    def title(self) -> str:
        """What the result is called."""
        if self.task is Task.SUMMARIZATION:
            return f"summary of {self.unit.name}"
        return f"{self.unit.name} in {self.target_language}"

    @property
    def result_language(self) -> str:
        """The language id of the result."""
        return self.target_language or "markdown"


@dataclass(frozen=True, slots=True)
class DocumentEdit:
    """An edit of one version of a document."""

    version: int
    start: Position
    end: Position
    text: str

    def body(self) -> dict[str, Any]:
        """As the protocol spells it: LSP's TextEdit, and the version that it is for."""
        ends = {"start": asdict(self.start), "end": asdict(self.end)}
        return {"version": self.version, "range": ends, "newText": self.text}


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What `cato/summarize` and `cato/translate` answer."""

    outcome: Outcome
    request_id: str = ""
    title: str = ""
    language_id: str = "markdown"
    text: str = ""
    message: str = ""
    elapsed_ms: int = 0
    documentation: DocumentEdit | None = None
    """Of a summary: how it becomes the documentation of its unit, where that is usual."""

    def body(self) -> dict[str, Any]:
        """As the protocol spells it."""
        return {
            "outcome": self.outcome.value,
            "requestId": self.request_id,
            "title": self.title,
            "languageId": self.language_id,
            "text": self.text,
            "message": self.message,
            "elapsedMs": self.elapsed_ms,
            "documentation": None if self.documentation is None else self.documentation.body(),
        }


def result_of(job: Job, outcome: Outcome, *, text: str = "", message: str = "") -> TaskResult:
    """How `job` ended, as of now."""
    elapsed_ms = int((time.perf_counter() - job.asked_at_s) * 1000)
    return TaskResult(
        outcome, job.request_id, job.title, job.result_language, text, message, elapsed_ms
    )


async def run_task(session: Session, job: Job, listener: Listener) -> TaskResult:
    """Does the job. Never raises for the backend: the result's message says what was wrong."""
    await session.link.ever_looked()
    connection = session.link.connection
    if connection is None:
        return result_of(job, Outcome.FAILED, message=session.link.status.message)
    if job.task not in connection.model.tasks:
        message = f"the backend at {connection.client.target.url} offers no {job.task}"
        return result_of(job, Outcome.FAILED, message=message)
    call = call_for(
        job,
        session.sender(job.uri),
        session.settings.targets,
        connection.model,
        connection.round_trip_ms,
    )
    try:
        stream = connection.client.open(call, cancels=connection.model.cancels)
        text = await outcome_of(stream, listener)
    except BackendFailure as failure:
        if outdates_the_connection(failure):
            session.link.failed(connection.client, failure)
        return result_of(job, Outcome.FAILED, message=str(failure))
    return result_of(job, Outcome.OK, text=text)


def call_for(
    job: Job, sender: Sender, targets: Targets, model: Model, round_trip_ms: float
) -> Call:
    """The call that does the job, with the budget that is left."""
    expected_tokens = _expected_tokens(job, model.chars_per_token)
    if job.task is Task.SUMMARIZATION:
        target_ms = targets.summarization_e2e_ms
    else:
        target_ms = targets.translation_ms(expected_tokens)
    spent_ms = (time.perf_counter() - job.asked_at_s) * 1000
    request = TaskRequest(
        task=wire.TaskKind(job.task),
        language=job.language_id,
        units=(wire.Unit(job.unit.name, job.unit.kind, with_lf(job.unit.text)),),
        target_language=job.target_language,
    )
    return task_call(
        request,
        sender,
        job.request_id,
        budget_ms=int(target_ms - spent_ms - round_trip_ms),
        expected_tokens=expected_tokens,
    )


def _expected_tokens(job: Job, chars_per_token: float) -> int:
    chars = len(job.unit.text)
    if job.target_language is None:
        return summary_tokens(chars, chars_per_token)
    return translated_tokens(chars, chars_per_token, job.language_id, job.target_language)
