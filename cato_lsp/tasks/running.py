"""Runs a job: its call, and a repair of a translation that cannot be parsed.

The pieces of the answer are joined while they come as its result will be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from cato_backend.wire.tasks import Diagnostic, TaskKind, heading
from cato_lsp.backend.calls import Call, ClientIds, new_request_id
from cato_lsp.backend.failures import BackendFailure
from cato_lsp.backend.task_answers import TaskAnswer, TaskProgress, outcome_of, patience_s
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax import open_document
from cato_lsp.syntax.units import Unit, syntax_errors
from cato_lsp.tasks.edits import before_cut, with_imports
from cato_lsp.tasks.jobs import Job, Outcome, TaskResult, call_for, result_of
from cato_lsp.tasks.kinds import BY_KIND
from cato_lsp.tasks.selection import Selection
from cato_lsp.text.document import file_name

if TYPE_CHECKING:
    from cato_lsp.backend.link import Connection
    from cato_lsp.backend.models import Model

_UNREADABLE = "the result cannot be parsed"
_HEADS = MappingProxyType(
    {
        TaskKind.SUMMARIZATION: "**{}**: ",
        TaskKind.DOCUMENTATION: "**{}**\n\n",
        TaskKind.EXPLANATION: "## {}\n\n",
    }
)
"""What stands before the text of one of several units."""
_BETWEEN = "\n\n"


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
    message = ""
    if job.kind is TaskKind.TESTS:
        answer, message = _without_cut(job, answer)
    text = _completed(job, answer)
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


def _without_cut(job: Job, answer: TaskAnswer) -> tuple[TaskAnswer, str]:
    """Return the answer without what is not whole at its units' ends, and what is left out.

    A unit of which nothing whole would be left keeps its text and its problem.
    """
    text, units, left_out = answer.text, list(answer.units), list[str]()
    for index, unit in enumerate(units):
        kept = before_cut(unit.text, job.language_id) if unit.problem else ""
        cut = unit.text.strip()
        if kept and cut in text:
            text = text.replace(cut, kept.strip(), 1)
            units[index] = replace(unit, text=kept, problem="")
            left_out.append(f"the end of the tests for {unit.name} is left out: {unit.problem}")
    return replace(answer, text=text, units=tuple(units)), "; ".join(left_out)


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
            answer = await _asked(connection, repair, call, _IgnoringListener())
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


class _IgnoringListener:
    """Ignores the pieces of a repair, which are not part of the result."""

    def report(self, progress: TaskProgress) -> None:
        """Ignore how far the work is."""

    def delta(self, text: str) -> None:
        """Ignore a piece of the repaired text."""

    def restart(self, text: str) -> None:
        """Ignore that the pieces so far are void."""


class TextListener(Protocol):
    """Receives the progress of a task: an editor's progress bar, a terminal."""

    def report(self, progress: TaskProgress) -> None:
        """Take a report of how far the work is."""
        ...

    def delta(self, text: str) -> None:
        """Take more of the result."""
        ...

    def restart(self, text: str) -> None:
        """Discard the pieces so far; the result begins with `text`."""
        ...


@dataclass(frozen=True, slots=True)
class _Piece:
    """`said`: what the backend sent; `shown`: the same with what leads up to it."""

    unit: int | None
    said: str
    shown: str


class JoinedText:
    """The text of a task as a listener is told it: units stand under their names."""

    def __init__(self, kind: TaskKind, units: Sequence[Unit], listener: TextListener) -> None:
        self._head = _HEADS.get(kind, "")
        self._names = [heading(unit.name, unit.kind) for unit in units]
        self._listener = listener
        self._pieces: list[_Piece] = []

    def report(self, progress: TaskProgress) -> None:
        """Pass on how far the work is."""
        self._listener.report(progress)

    def delta(self, text: str, unit: int | None) -> None:
        """Take a piece of the unit of this index; None: of what is said about all of them."""
        shown = self._lead(unit) + text
        self._pieces.append(_Piece(unit, text, shown))
        self._listener.delta(shown)

    def restart(self, text: str) -> None:
        """Discard the pieces so far, but for those that `text` consists of."""
        kept: list[_Piece] = []
        rest = text
        while rest and self._pieces and rest.startswith(self._pieces[0].said):
            kept.append(self._pieces.pop(0))
            rest = rest[len(kept[-1].said) :]
        self._pieces = kept if not rest else [_Piece(None, text, text)]
        self._listener.restart("".join(piece.shown for piece in self._pieces))

    def _lead(self, unit: int | None) -> str:
        """Return what comes between the last piece and one of another unit."""
        if len(self._names) < 2 or (self._pieces and self._pieces[-1].unit == unit):
            return ""
        between = _BETWEEN if self._pieces else ""
        if unit is None or unit >= len(self._names):
            return between
        return between + self._head.format(self._names[unit])
