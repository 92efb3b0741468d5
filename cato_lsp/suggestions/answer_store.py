"""The streams and the earlier answers of documents, which are compared with the typed text."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.wire.headers import CancelReason
from cato_lsp.completion.beliefs import Judgement, Reliability
from cato_lsp.completion.reuse import AnswerCache, CacheHit
from cato_lsp.decisions.habits import IgnoredSuggestions
from cato_lsp.settings.settings import CompletionSettings
from cato_lsp.suggestions.generation import Generation
from cato_lsp.text import at_lf


class Answers:
    """The streams and the earlier answers of a document.

    They are compared with its text as engines see it: with LF for every line end.
    """

    def __init__(self, reliability: Reliability) -> None:
        self.cache = AnswerCache()
        self._streaming: list[Generation] = []
        self._reliability = reliability
        self._judgement: Judgement | None = None
        """The judgement of the latest answer."""
        self._ignored = IgnoredSuggestions()

    def known(self, text: str, offset: int, *, in_line: bool = False) -> CacheHit | None:
        """Return a former answer that fits at `offset`.

        `in_line`: what lies behind the end of the line is not wanted.
        """
        return self.cache.find(*at_lf(text, offset), in_line=in_line)

    def streaming(self, text: str, offset: int) -> tuple[Generation, str] | None:
        """Return a stream that fits at `offset`, and what was typed along with it.

        The others are cancelled: the person is somewhere else.
        """
        text, offset = at_lf(text, offset)
        found: tuple[Generation, str] | None = None
        for generation in tuple(self._streaming):
            typed = generation.fits(text, offset)
            if typed is None or found is not None:
                generation.cancel(CancelReason.TYPED)
            else:
                found = generation, typed
        return found

    def ignore(self, text: str, offset: int, said: str) -> None:
        """Record that `said` was shown at `offset` during a pause and not accepted."""
        self._ignored.add(at_lf(text, offset)[1], said)

    def times_ignored(self, text: str, offset: int, rest: str) -> int:
        """Return how often a suggestion of `rest` at `offset` or its beginning was ignored."""
        return self._ignored.times(*at_lf(text, offset), rest)

    def begin(self, generation: Generation) -> None:
        """Keep a stream that is on its way."""
        self._streaming.append(generation)

    def ended(self, generation: Generation) -> None:
        """Keep what was said by a stream that is over."""
        if generation in self._streaming:
            self._streaming.remove(generation)
        if generation.failure is None and (generation.whole or generation.text):
            answer = generation.answer()
            self.cache.add(answer)
            if self._judgement is None or self._judgement.over:
                self._judgement = Judgement(answer, self._reliability)

    def reconfigured(self, former: CompletionSettings, now: CompletionSettings) -> None:
        """Drop what the new settings cannot be applied to.

        These are answers that were read to fewer lines than are wanted now, or without asking how
        sure the engine is.
        """
        if now.max_lines > former.max_lines:
            self.cache.keep(lambda answer: answer.text.count("\n") < former.max_lines)
        if now.min_confidence != 0 and former.min_confidence == 0:
            self.cache.keep(lambda answer: answer.tells_confidence)
            self.close(CancelReason.TYPED)

    def changed(self, text: str, cursors: Sequence[int]) -> None:
        """Take over the new text; the cursor is at one of `cursors`, if any is known.

        A stream that says something else than what was typed is of no use to anybody.
        """
        if self._judgement is not None and cursors:
            self._judgement.changed(*at_lf(text, cursors[0]))
        if not self._streaming:
            return
        places = [at_lf(text, cursor) for cursor in cursors]
        for generation in tuple(self._streaming):
            if any(generation.fits(*place) is not None for place in places):
                generation.typed_along()
            elif cursors:
                generation.cancel(CancelReason.TYPED)

    def close(self, reason: CancelReason) -> None:
        """End every stream."""
        for generation in tuple(self._streaming):
            generation.cancel(reason)


class AnswerStore:
    """The answers about each open document."""

    def __init__(self) -> None:
        self.reliability = Reliability()
        self._by_uri: dict[str, Answers] = {}

    def of(self, uri: str) -> Answers:
        """Return what was said about a document."""
        return self._by_uri.setdefault(uri, Answers(self.reliability))

    def changed(self, uri: str, text: str, cursors: Sequence[int]) -> None:
        """Take over the document's new text; the cursor is at one of `cursors`, if known."""
        if uri in self._by_uri:
            self._by_uri[uri].changed(text, cursors)

    def reconfigured(self, former: CompletionSettings, now: CompletionSettings) -> None:
        """Drop what the new settings cannot be applied to."""
        for answers in self._by_uri.values():
            answers.reconfigured(former, now)

    def forget(self, uri: str) -> None:
        """End the streams of a document, and forget what was said about it."""
        if uri in self._by_uri:
            self._by_uri.pop(uri).close(CancelReason.CLOSED)

    def close(self) -> None:
        """End every stream."""
        for answers in self._by_uri.values():
            answers.close(CancelReason.CLOSED)
