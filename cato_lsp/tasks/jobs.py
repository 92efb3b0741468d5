"""One whole task that a person asked for: its units, its request, its result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from cato_backend.wire import tasks as wire
from cato_backend.wire.tasks import Diagnostic, TaskKind, TaskRequest
from cato_lsp.backend.calls import Call, ClientIds, task_call
from cato_lsp.backend.task_answers import UnitAnswer
from cato_lsp.settings.settings import Targets
from cato_lsp.syntax.parts import signature_of, uses_of
from cato_lsp.syntax.units import Unit, statement_lines
from cato_lsp.tasks.kinds import BY_KIND, expected_tokens
from cato_lsp.tasks.selection import Selection
from cato_lsp.text import Position, Snapshot, with_lf

if TYPE_CHECKING:
    from cato_lsp.backend.models import Model

_LONG_CHARS = 6000
"""Of a unit that may have to be split."""


class Outcome(StrEnum):
    """Endings of a task."""

    OK = "ok"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Job:
    """A task that a person asked for, about units of one version of a document."""

    kind: TaskKind
    selection: Selection
    snapshot: Snapshot
    target_language: str | None
    request_id: str
    asked_at_s: float
    diagnostics: tuple[Diagnostic, ...] = ()
    """The problems to fix, by lines of the document, counted from 1."""

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of the task."""
        return self.selection.units

    @property
    def uri(self) -> str:
        """The document's."""
        return self.snapshot.uri

    @property
    def language_id(self) -> str:
        """The document's."""
        return self.snapshot.language_id

    @property
    def title(self) -> str:
        """The title of the result."""
        verb = BY_KIND[self.kind]
        return verb.title.format(name=self.selection.name, target=self.target_language)

    @property
    def result_language(self) -> str:
        """The language id of the result."""
        own = self.language_id if BY_KIND[self.kind].is_code else "markdown"
        return self.target_language or own


@dataclass(frozen=True, slots=True)
class DocumentEdit:
    """An edit of one version of a document."""

    version: int
    start: Position
    end: Position
    text: str

    def body(self) -> dict[str, Any]:
        """Return the edit as the protocol spells it: LSP's TextEdit, and its version."""
        ends = {"start": asdict(self.start), "end": asdict(self.end)}
        return {"version": self.version, "range": ends, "newText": self.text}


@dataclass(frozen=True, slots=True)
class TaskResult:
    """The result of a task's request."""

    outcome: Outcome
    request_id: str = ""
    title: str = ""
    language_id: str = "markdown"
    text: str = ""
    message: str = ""
    elapsed_ms: int = 0
    documentation: DocumentEdit | None = None
    """The edit that makes a summary the documentation of its unit, where that is usual."""
    units: tuple[UnitAnswer, ...] = ()
    met: bool = True
    edits: tuple[DocumentEdit, ...] = ()
    """How the result comes into the document, where it belongs there; all of one version."""
    applied: bool = False
    """Whether the client was asked to apply the edits, and did."""

    def body(self) -> dict[str, Any]:
        """Return the result as the protocol spells it."""
        return {
            "outcome": self.outcome.value,
            "requestId": self.request_id,
            "title": self.title,
            "languageId": self.language_id,
            "text": self.text,
            "message": self.message,
            "elapsedMs": self.elapsed_ms,
            "documentation": None if self.documentation is None else self.documentation.body(),
            "units": [asdict(unit) for unit in self.units],
            "met": self.met,
            "edits": [edit.body() for edit in self.edits],
            "applied": self.applied,
        }

    @property
    def failed(self) -> tuple[UnitAnswer, ...]:
        """The units of which something is missing."""
        return tuple(unit for unit in self.units if unit.problem)


def result_of(job: Job, outcome: Outcome, *, message: str = "") -> TaskResult:
    """Return how `job` ended, as of now."""
    elapsed_ms = int((time.perf_counter() - job.asked_at_s) * 1000)
    return TaskResult(
        outcome,
        job.request_id,
        job.title,
        job.result_language,
        message=message,
        elapsed_ms=elapsed_ms,
    )


def call_for(
    job: Job, client_ids: ClientIds, targets: Targets, model: Model, round_trip_ms: float
) -> Call:
    """Return the call that does the job, with the budget that is left."""
    ratio, target = model.chars_per_token, job.target_language
    tokens = sum(
        expected_tokens(job.kind, len(unit.text), ratio, job.language_id, target)
        for unit in job.units
    )
    target_ms = _target_ms(job, targets.on_hardware(model.needed_ms), tokens)
    spent_ms = (time.perf_counter() - job.asked_at_s) * 1000
    return task_call(
        request_for(job),
        client_ids,
        job.request_id,
        budget_ms=int(target_ms - spent_ms - round_trip_ms),
        expected_tokens=tokens,
    )


def request_for(job: Job) -> TaskRequest:
    """Return the request's body."""
    uses = uses_of(job.units) if job.kind is TaskKind.TRANSLATION else ((),) * len(job.units)
    units = [_unit(job, unit, used) for unit, used in zip(job.units, uses, strict=True)]
    return TaskRequest(
        task=job.kind,
        language=job.language_id,
        units=tuple(units),
        target_language=job.target_language,
        context=with_lf(job.selection.context),
        instruction=job.selection.instruction,
    )


def _unit(job: Job, unit: Unit, uses: Sequence[int]) -> wire.Unit:
    is_long = len(unit.text) > _LONG_CHARS
    is_used = job.kind is TaskKind.TRANSLATION and len(job.units) > 1
    return wire.Unit(
        unit.name[:200],
        unit.kind,
        with_lf(unit.text),
        signature=signature_of(job.snapshot, unit) if is_used else "",
        uses=tuple(uses),
        breaks=statement_lines(job.snapshot, unit) if is_long else (),
        diagnostics=_diagnostics(job, unit),
    )


def _diagnostics(job: Job, unit: Unit) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of the unit, by its own lines."""
    lines = job.snapshot.lines
    first, last = lines.line_at(unit.start), lines.line_at(unit.end)
    return tuple(
        Diagnostic(said.line - first, said.message[:2000])
        for said in job.diagnostics
        if first < said.line <= last + 1
    )


def _target_ms(job: Job, targets: Targets, tokens: int) -> int:
    if job.kind is not TaskKind.SUMMARIZATION:
        return targets.translation_ms(tokens)
    return targets.summarization_ms(len(job.units))
