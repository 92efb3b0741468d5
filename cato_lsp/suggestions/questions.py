"""What a completion is asked for, what that means, and what is shown of an answer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from cato_backend.wire.headers import Task
from cato_lsp.completion import Completeness
from cato_lsp.completion.reader import AnswerReader
from cato_lsp.decisions.classify import Action, Assignment
from cato_lsp.settings.settings import CompletionSettings
from cato_lsp.syntax import SyntaxContext
from cato_lsp.text import Snapshot


@dataclass(frozen=True, slots=True)
class Question:
    """What a completion is asked for; taken before anything else can change the document."""

    snapshot: Snapshot
    offset: int
    action: Action
    asked_at_s: float
    """On this process's monotonic clock."""
    in_menu: bool = False
    """Whether it is asked for a menu, whose client asks again at each key."""

    @property
    def automatic(self) -> bool:
        """Whether nobody asked for it."""
        return self.action is Action.AUTOMATIC_COMPLETION

    def spent_ms(self) -> float:
        """Return the time since the person acted."""
        return (time.perf_counter() - self.asked_at_s) * 1000


class Source(StrEnum):
    """Where a suggestion came from."""

    ASKED = "asked"
    STREAM = "stream"
    """From an answer that was on its way already."""
    CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is shown, and the request that it came from."""

    text: str
    request_id: str
    task: Task
    source: Source
    latency_ms: float
    begins_line: bool = False
    """Whether nothing but white space stands before it."""
    confidence: float | None = None
    """How likely it is right, by the engine's own probabilities."""


@dataclass(frozen=True, slots=True)
class CompletionContext:
    """A question, and what it means."""

    question: Question
    context: SyntaxContext
    assignment: Assignment
    settings: CompletionSettings
    least_confidence: float = 0.0
    """Below it nothing is shown. It is 0 for a suggestion that the person asked for."""

    def reader(self) -> AnswerReader:
        """Return a reader of an answer to it."""
        most = self.settings.max_lines
        begin = partial(Completeness, self.context, self.assignment, max_lines=most)
        return AnswerReader(begin, self.least_confidence)

    def suggestion(
        self, reader: AnswerReader, request_id: str, source: Source, *, truncated: bool
    ) -> Suggestion | None:
        """Return what is shown of what was read, if that is anything."""
        text = reader.text(truncated=truncated and not reader.complete)
        return self.showing(text, request_id, source, reader.confidence) if text else None

    def showing(
        self, text: str, request_id: str, source: Source, confidence: float | None
    ) -> Suggestion:
        """Return `text` as an answer to the question."""
        return Suggestion(
            text=text,
            request_id=request_id,
            task=self.assignment.task,
            source=source,
            latency_ms=self.question.spent_ms(),
            begins_line=not self.context.line_before.strip(),
            confidence=confidence,
        )
