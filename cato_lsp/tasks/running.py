"""Doing a job: its call, and for a translation that cannot be parsed, a repair."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from cato_backend.wire.tasks import Diagnostic, TaskKind
from cato_lsp.backend.answers import TaskAnswer, TaskProgress, outcome_of, patience_s
from cato_lsp.backend.calls import Call, ClientIds, new_request_id
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax import open_document
from cato_lsp.syntax.parts import syntax_errors
from cato_lsp.syntax.units import Unit
from cato_lsp.tasks.edits import with_imports
from cato_lsp.tasks.jobs import Job, Outcome, TaskResult, call_for, result_of
from cato_lsp.tasks.joining import JoinedText, TextListener
from cato_lsp.tasks.kinds import BY_KIND
from cato_lsp.tasks.selection import Selection
from cato_lsp.text.uris import file_name

if TYPE_CHECKING:
    from cato_lsp.backend.link import Connection
    from cato_lsp.backend.models import Model

_UNREADABLE = "the result cannot be parsed"


def refusal(kind: TaskKind, model: Model, url: str) -> str:
    """Return why the model does not do this, and what is needed; empty if it does."""
    if not model.cancels or kind.slo_class not in model.tasks:
        return f"the backend at {url} offers no {kind}"
    if kind in model.whole_tasks:
        return ""
    word = BY_KIND[kind].word
    return f"{model.title} cannot {word} usefully: {model.whole_tasks_note or 'choose another'}"


async def run_job(
    job: Job,
    connection: Connection,
    client_ids: ClientIds,
    targets: Targets,
    listener: TextListener,
) -> TaskResult:
    """Do the job. Raises BackendFailure."""
    model = connection.model
    reason = refusal(job.kind, model, connection.client.target.url)
    if reason:
        return result_of(job, Outcome.FAILED, message=reason)
    call = call_for(job, client_ids, targets, model, connection.round_trip_ms)
    answer = await _asked(connection, job, call, listener)
    text, message = _completed(job, answer), ""
    if job.kind is TaskKind.TRANSLATION:
        text, message = await _readable(job, text, connection, client_ids, targets, listener)
    result = result_of(job, Outcome.OK, message=message)
    return replace(result, text=text, units=answer.units, met=answer.met)


async def _asked(
    connection: Connection, job: Job, call: Call, listener: TextListener
) -> TaskAnswer:
    stream = connection.client.open(call, cancels=connection.model.cancels)
    joined = JoinedText(job.kind, job.units, listener)
    return await outcome_of(stream, joined, patience_s(call.budget_s))


def _completed(job: Job, answer: TaskAnswer) -> str:
    if job.kind is not TaskKind.TESTS:
        return answer.text
    names = [unit.name for unit in job.units if unit.name]
    return with_imports(answer.text, names, file_name(job.uri), job.language_id)


async def _readable(
    job: Job,
    text: str,
    connection: Connection,
    client_ids: ClientIds,
    targets: Targets,
    listener: TextListener,
) -> tuple[str, str]:
    """Return the translation, and what is wrong with it still.

    It is repaired once if it cannot be parsed.
    """
    repair = _repair_of(job, text)
    if repair is None:
        return text, ""
    if TaskKind.FIX in connection.model.whole_tasks:
        listener.report(TaskProgress("repairing"))
        call = call_for(repair, client_ids, targets, connection.model, connection.round_trip_ms)
        fixed = ""
        # What was translated is worth having without its repair.
        with contextlib.suppress(BackendFailure):
            answer = await _asked(connection, repair, call, _Silent())
            fixed = "" if any(unit.problem for unit in answer.units) else answer.text
        if fixed.strip() and _repair_of(job, fixed) is None:
            return fixed, ""
    first = repair.diagnostics[0]
    return text, f"{_UNREADABLE}: line {first.line}: {first.message}"


def _repair_of(job: Job, text: str) -> Job | None:
    """Return the job that fixes the text in the target language; None if nothing is wrong."""
    language = job.target_language or ""
    snapshot = open_document(f"cato:{file_name(job.uri)}", language, 1, text).snapshot()
    errors = syntax_errors(snapshot)
    if not errors:
        return None
    unit = Unit("", "file", text, 0, len(text))
    return Job(
        TaskKind.FIX,
        Selection((unit,), job.selection.name),
        snapshot,
        None,
        new_request_id(),
        job.asked_at_s,
        tuple(Diagnostic(line + 1, message) for line, message in errors),
    )


class _Silent:
    """Hears of a repair, whose pieces are not those of the result."""

    def report(self, progress: TaskProgress) -> None:
        """Ignore how far the work is."""

    def delta(self, text: str) -> None:
        """Ignore a piece of the repaired text."""

    def restart(self, text: str) -> None:
        """Ignore that the pieces so far are void."""
