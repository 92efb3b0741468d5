"""`POST /v1/tasks`: its body and the events of its stream.

    event: progress   {"state": "running", "done": 0, "total": 1}    units done, of all
    event: delta      {"text": "..."}                       more of the result, in order
    event: restart    {"text": "..."}                       what came so far is void, but for this
    event: result     {"text": "...", "finish_reason": "stop", "elapsed_ms": 812, "met": true}
    event: error      {"error": {message, type, param, code}}

`result` or `error` comes exactly once, last, and then `data: [DONE]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cato_backend.wire.headers import Task


class TaskEvent(StrEnum):
    """Names of the events."""

    PROGRESS = "progress"
    DELTA = "delta"
    RESTART = "restart"
    RESULT = "result"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Unit:
    """One piece of source that the task is about: a function, a class, a file."""

    name: str
    kind: str
    text: str
    output_tokens: int | None = None
    """The client's own estimate of how many tokens the unit's part of the result will have."""

    def body(self) -> dict[str, Any]:
        """As it stands in `units`, with what is absent left out."""
        body: dict[str, Any] = {"name": self.name, "kind": self.kind, "text": self.text}
        if self.output_tokens is not None:
            body["output_tokens"] = self.output_tokens
        return body


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """A whole task. Languages are LSP language identifiers (`python`, `typescriptreact`)."""

    task: Task
    language: str
    units: tuple[Unit, ...]
    target_language: str | None = None
    context: str = ""
    limits: dict[str, int] = field(default_factory=dict[str, int])
    """Optional `max_tokens`."""

    def body(self) -> dict[str, Any]:
        """The JSON body, with what is absent left out."""
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
        return body
