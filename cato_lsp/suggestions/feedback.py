"""Follows suggestions from their display until five minutes later, when the kept part is measured.

An editor that says nothing is believed to show what it was answered. A suggestion that was neither
accepted nor typed when the next one takes its place was rejected.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cato_backend.wire.editor_calls import Feedback, FeedbackEvent
from cato_lsp.session.status import SuggestionCounts
from cato_lsp.suggestions.questions import Suggestion
from cato_lsp.syntax.nearby import is_word
from cato_lsp.text import Snapshot, length_of, with_lf

KEPT = ((30.0, FeedbackEvent.KEPT_30S), (300.0, FeedbackEvent.KEPT_5MIN))
MOST_KEPT = 0.5
"""The share of what was accepted that must still be there."""
_TAKEN = (FeedbackEvent.ACCEPTED, FeedbackEvent.PARTIALLY_ACCEPTED)
_REMEMBERED = 64

Find = Callable[[str], Snapshot | None]
Tell = Callable[[Feedback, dict[str, object]], None]
"""What happened, and what only this machine is told of it."""


@dataclass(slots=True)
class Shown:
    """A suggestion on the screen; `offset` is where it begins."""

    suggestion: Suggestion
    uri: str
    language: str
    offset: int
    accepted_chars: int = 0
    stands: bool = True
    """False once settings have changed: what is left of it is judged again."""
    seen: bool = False
    """False for a further candidate that the person has not turned to, as far as is known."""


class FeedbackLedger:
    """The suggestions of one session."""

    def __init__(self, find: Find, tell: Tell, counts: SuggestionCounts) -> None:
        """`find` returns a document as it is now."""
        self._find = find
        self._tell = tell
        self._by_request: dict[str, Shown] = {}
        self._on_screen: dict[str, Shown] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._tells_what_it_shows = False
        self._counts = counts

    def on_screen(self, uri: str) -> str | None:
        """Return the request whose answer is on the screen of this document and may stay there.

        What is on the screen is told as far as it is known.
        """
        shown = self._on_screen.get(uri)
        return shown.suggestion.request_id if shown is not None and shown.stands else None

    def judge_again(self) -> None:
        """Judge again what is on screens, because settings have changed.

        Nothing stays there for having been there.
        """
        for shown in (*self._by_request.values(), *self._on_screen.values()):
            shown.stands = False

    def answered(
        self, suggestion: Suggestion, snapshot: Snapshot, offset: int, *, first: bool = True
    ) -> None:
        """Record an answer to the editor.

        The editor shows the first suggestion, unless it is an editor that tells what it shows.
        """
        known = self._by_request.get(suggestion.request_id)
        shown = Shown(suggestion, snapshot.uri, snapshot.language_id, offset)
        if known is not None:
            shown.accepted_chars, shown.seen = known.accepted_chars, known.seen
        self._remember(shown)
        if known is None and first and not self._tells_what_it_shows:
            self._show(shown)
        elif known is not None and self._on_screen.get(snapshot.uri) is known:
            self._on_screen[snapshot.uri] = shown

    def left(self, request_id: str, snapshot: Snapshot, offset: int) -> str:
        """Return what is not typed yet of a suggestion that the person types along with.

        It is empty if the person does not type along.
        """
        shown = self._by_request.get(request_id)
        if shown is None or not shown.stands or shown.uri != snapshot.uri or shown.offset > offset:
            return ""
        text, typed = shown.suggestion.text, with_lf(snapshot.text[shown.offset : offset])
        return text[len(typed) :] if text.startswith(typed) else ""

    def untaken(self, uri: str, text: str, cursor: int) -> tuple[int, str] | None:
        """Return what was on the screen of a document, and where, if the person types along.

        It is None where they took it, or a word of it.
        """
        shown = self._on_screen.get(uri)
        if shown is None or not shown.offset < cursor:
            return None
        typed, said = with_lf(text[shown.offset : cursor]), shown.suggestion.text
        by_hand = sum(map(is_word, typed)) <= 1
        return (shown.offset, said) if by_hand and said.startswith(typed) else None

    def did_show(self, request_id: str) -> None:
        """Record that the editor shows the suggestion."""
        self._tells_what_it_shows = True
        shown = self._by_request.get(request_id)
        if shown is not None and self._on_screen.get(shown.uri) is not shown:
            self._show(shown)

    def accepted(self, request_id: str) -> Shown | None:
        """Record that all of a suggestion was accepted, and return it."""
        shown = self._by_request.get(request_id)
        if shown is None:
            return None
        in_parts = shown.accepted_chars > 0
        self._take(shown, len(shown.suggestion.text))
        self._on_screen.pop(shown.uri, None)
        self._say(FeedbackEvent.ACCEPTED, shown, shown.accepted_chars)
        if not in_parts:
            self._watch(shown)
        return shown

    def partially_accepted(self, request_id: str, accepted_chars: int) -> None:
        """Record that a suggestion's first `accepted_chars` characters were accepted.

        Whether the text is kept is checked later for the first part only.
        """
        shown = self._by_request.get(request_id)
        if shown is None:
            return
        is_first = not shown.accepted_chars
        self._take(shown, accepted_chars)
        self._say(FeedbackEvent.PARTIALLY_ACCEPTED, shown, accepted_chars)
        if is_first:
            self._watch(shown)

    def gone(self, uri: str) -> None:
        """Record that what was on the screen of this document is no more."""
        shown = self._on_screen.pop(uri, None)
        if shown is None or shown.accepted_chars or self._was_typed(shown):
            return
        self._say(FeedbackEvent.REJECTED, shown, None)

    def close(self) -> None:
        """End with the session: nothing is checked any more."""
        for timer in self._timers:
            timer.cancel()
        for uri in tuple(self._on_screen):
            self.gone(uri)

    def _show(self, shown: Shown) -> None:
        self.gone(shown.uri)
        self._on_screen[shown.uri] = shown
        shown.seen = True
        self._counts.shown += 1
        self._say(FeedbackEvent.SHOWN, shown, None)

    def _take(self, shown: Shown, accepted_chars: int) -> None:
        """Count what was accepted; it was shown, if only as a further candidate."""
        if not shown.seen:
            self._show(shown)
        self._counts.taken += not shown.accepted_chars
        self._counts.accepted_chars += max(accepted_chars - shown.accepted_chars, 0)
        shown.accepted_chars = accepted_chars

    def _remember(self, shown: Shown) -> None:
        self._by_request.pop(shown.suggestion.request_id, None)
        self._by_request[shown.suggestion.request_id] = shown
        if len(self._by_request) > _REMEMBERED:
            del self._by_request[next(iter(self._by_request))]

    def _was_typed(self, shown: Shown) -> bool:
        snapshot = self._find(shown.uri)
        return snapshot is not None and (
            length_of(shown.suggestion.text, snapshot.text, shown.offset) is not None
        )

    def _watch(self, shown: Shown) -> None:
        accepted = shown.suggestion.text[: shown.accepted_chars]
        for after_s, event in KEPT:
            self._later(after_s, partial(self._check, shown, accepted, event))

    def _check(self, shown: Shown, accepted: str, event: FeedbackEvent) -> None:
        snapshot = self._find(shown.uri)
        lines = [line.strip() for line in accepted.splitlines() if line.strip()]
        if snapshot is None or not lines:
            return
        left = sum(len(line) for line in lines if line in snapshot.text)
        if left >= MOST_KEPT * sum(map(len, lines)):
            self._say(event, shown, left)

    def _later(self, after_s: float, action: Callable[[], None]) -> None:
        self._timers = {timer for timer in self._timers if timer.when() > _now_s()}
        self._timers.add(asyncio.get_running_loop().call_later(after_s, action))

    def _say(self, event: FeedbackEvent, shown: Shown, accepted_chars: int | None) -> None:
        suggestion = shown.suggestion
        feedback = Feedback(
            suggestion.request_id,
            event,
            shown_chars=len(suggestion.text),
            accepted_chars=accepted_chars,
            shown_lines=_lines(suggestion.text),
            accepted_lines=_lines(suggestion.text[:accepted_chars]) if event in _TAKEN else None,
            latency_ms=round(suggestion.latency_ms, 1),
            language=shown.language,
        )
        more: dict[str, object] = {
            "time_s": round(time.time(), 3),
            "task": suggestion.task.value,
            "source": suggestion.source.value,
            "lines": _lines(suggestion.text),
            "begins_line": suggestion.begins_line,
        }
        if suggestion.confidence is not None:
            more["confidence"] = round(suggestion.confidence, 3)
        self._tell(feedback, more)


def _lines(text: str) -> int:
    return text.count("\n") + 1


def _now_s() -> float:
    return asyncio.get_running_loop().time()
