"""`POST /v1/tasks`: its body and the events of its stream.

    event: progress   {"state": "waiting", "done": 0, "total": 3, "estimate_ms": 2100,
                       "target_ms": 8000}
    event: delta      {"text": "...", "unit": 0}            more of the result, in order
    event: restart    {"text": "..."}                       the text so far is void, but for this
    event: result     {"text": "...", "units": [...], "finish_reason": "stop", "elapsed_ms": 812,
                       "met": true}
    event: error      {"error": {message, type, param, code}}

`result` or `error` comes exactly once, last, and then `data: [DONE]`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from cato_backend.wire.headers import Task

_PLAIN = re.compile(r"[^\W_](\w*[^\W_])?")
"""A name in which Markdown sees no markup."""


class TaskEvent(StrEnum):
    """Names of the events."""

    PROGRESS = "progress"
    DELTA = "delta"
    RESTART = "restart"
    RESULT = "result"
    ERROR = "error"


class TaskKind(StrEnum):
    """Kinds of whole tasks."""

    SUMMARIZATION = "summarization"
    TRANSLATION = "translation"
    DOCUMENTATION = "documentation"
    """Answers each unit's documentation, without comment marks."""
    EXPLANATION = "explanation"
    TESTS = "tests"
    FIX = "fix"
    """Answers each unit without what its diagnostics complain of."""
    GENERATION = "generation"
    """Answers code for an instruction."""

    @property
    def slo_class(self) -> Task:
        """The SLA class whose target and model it has."""
        return _CLASSES[self]


_CLASSES = MappingProxyType(
    {
        TaskKind.SUMMARIZATION: Task.SUMMARIZATION,
        TaskKind.DOCUMENTATION: Task.SUMMARIZATION,
        TaskKind.EXPLANATION: Task.SUMMARIZATION,
        TaskKind.TRANSLATION: Task.TRANSLATION,
        TaskKind.TESTS: Task.TRANSLATION,
        TaskKind.FIX: Task.TRANSLATION,
        TaskKind.GENERATION: Task.TRANSLATION,
    }
)
"""Prose is as short as a summary, code as long as a translation."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A message of a compiler or linter about one line of a unit, counted from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of source that the task is about: a function, a class, a file."""

    name: str
    kind: str
    text: str
    output_tokens: int | None = None
    """The client's own estimate of how many tokens the unit's part of the result will have."""
    signature: str = ""
    """What others need to know of it to use it; empty: its first line."""
    uses: tuple[int, ...] = ()
    """The indexes of the units that it uses."""
    breaks: tuple[int, ...] = ()
    """Lines of the text, counted from 0, at which a statement begins: where it may be split."""
    diagnostics: tuple[Diagnostic, ...] = ()

    def body(self) -> dict[str, Any]:
        """Return the JSON body, with what is absent left out."""
        body: dict[str, Any] = {"name": self.name, "kind": self.kind, "text": self.text}
        if self.output_tokens is not None:
            body["output_tokens"] = self.output_tokens
        if self.signature:
            body["signature"] = self.signature
        if self.uses:
            body["uses"] = list(self.uses)
        if self.breaks:
            body["breaks"] = list(self.breaks)
        if self.diagnostics:
            body["diagnostics"] = [asdict(diagnostic) for diagnostic in self.diagnostics]
        return body


def heading(name: str, kind: str) -> str:
    """Return how a unit is called in Markdown.

    A name that Markdown would read as markup, such as `__init__` or `Box<T>`, is set as code.
    """
    if not name:
        return kind
    return name if _PLAIN.fullmatch(name) else f"`{name}`"


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A whole task. Languages are LSP language identifiers (`python`, `typescriptreact`)."""

    task: TaskKind
    language: str
    units: tuple[Unit, ...]
    target_language: str | None = None
    context: str = ""
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """Optional `max_tokens`."""
    instruction: str = ""
    """What to generate."""

    def body(self) -> dict[str, Any]:
        """Return the JSON body, with what is absent left out."""
        body: dict[str, Any] = {
            "task": self.task.value,
            "language": self.language,
            "units": [unit.body() for unit in self.units],
            **self.limits,
        }
        if self.target_language is not None:
            body["target_language"] = self.target_language
        if self.context:
            body["context"] = self.context
        if self.instruction:
            body["instruction"] = self.instruction
        return body
