"""The question of a completion, and the part of an answer that is shown for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from cato_backend.wire.headers import Task
from cato_lsp.completion import Completeness
from cato_lsp.completion.beliefs import Evidence, Reliability, believed, whole_words
from cato_lsp.completion.reader import AnswerReader
from cato_lsp.completion.reuse import Answer, CacheHit, behind
from cato_lsp.decisions.classify import Action, Assignment
from cato_lsp.decisions.habits import raised
from cato_lsp.settings.settings import CompletionSettings
from cato_lsp.syntax import SyntaxContext
from cato_lsp.text import Snapshot

READ_ESTIMATED = 0.4
"""Where the engine reports no log probabilities, an answer is read to this estimate."""
ENOUGH_LEFT = 12
"""Characters that a known incomplete answer must have left so that no new one is requested."""


@dataclass(frozen=True, slots=True)
class Question:
    """The place and text of a completion request, taken before the document can change."""

    snapshot: Snapshot
    offset: int
    action: Action
    asked_at_s: float
    """On this process's monotonic clock."""
    in_menu: bool = False
    """Whether it is asked for a menu, whose client asks again at each key."""

    @property
    def automatic(self) -> bool:
        """Whether the request was automatic."""
        return self.action is Action.AUTOMATIC_COMPLETION

    def spent_ms(self) -> float:
        """Return the time since the person acted."""
        return (time.perf_counter() - self.asked_at_s) * 1000


class Source(StrEnum):
    """Sources of suggestions."""

    ASKED = "asked"
    STREAM = "stream"
    """From an answer that was on its way already."""
    CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A suggestion, and the request that it came from."""

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
    least_estimated: float = 0.0
    """The same, where the engine reports no log probabilities."""
    reliability: Reliability = field(default_factory=Reliability)

    @property
    def wants_others(self) -> bool:
        """Whether what further answers agree on tells something."""
        return self.least_estimated > 0 and self.reliability.others_tell()

    def reader(self) -> AnswerReader:
        """Return a reader of an answer to it."""
        if not self.least_estimated:
            return AnswerReader(self._begin(), self.least_confidence)
        untold = self.reliability.logprob(Evidence())
        return AnswerReader(self._begin(), READ_ESTIMATED, least_read=READ_ESTIMATED, untold=untold)

    def judged(self, answer: Answer, offset: int, ignored: int = 0) -> AnswerReader:
        """Return a reader that has read what an answer says behind its first `offset` characters.

        Probabilities that the engine does not report are estimated. `ignored` is how often the
        person did not accept it.
        """
        if not self.least_estimated or any(one.logprob is not None for one in answer.tokens):
            reader = AnswerReader(self._begin(), raised(self.least_confidence, ignored))
            reader.feed(behind(answer.tokens, offset))
            return reader
        reader = AnswerReader(self._begin(), raised(self.least_estimated, ignored))
        text = answer.text if answer.whole else whole_words(answer.text)
        reader.feed(behind(believed(text, answer.other_texts, self.reliability), offset))
        return reader

    def has_enough(self, hit: CacheHit) -> bool:
        """Return whether what is left of an answer that broke off need not be asked for again."""
        return bool(self.least_estimated) and len(hit.rest) >= ENOUGH_LEFT

    def _begin(self) -> Callable[[], Completeness]:
        most = self.settings.max_lines
        return partial(Completeness, self.context, self.assignment, max_lines=most)

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
