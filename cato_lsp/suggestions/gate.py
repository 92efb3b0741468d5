"""The display gate: what was found is not always shown, and not always at once.

Separate from the asking, so that what is held back is there as soon as it may be shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cato_backend.wire.feedback import FeedbackEvent
from cato_lsp.decisions.likelihood import Acceptance, Signals
from cato_lsp.suggestions import history

if TYPE_CHECKING:
    from cato_lsp.session.session import Session
    from cato_lsp.suggestions.questions import Question, Suggestion

_OUTCOMES = {
    FeedbackEvent.ACCEPTED: True,
    FeedbackEvent.PARTIALLY_ACCEPTED: True,
    FeedbackEvent.REJECTED: False,
}


class DisplayGate:
    """Decides for one session what is shown of what nobody asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._acceptance: Acceptance | None = None
        """None until somebody wants it."""

    async def admits(self, question: Question, suggestion: Suggestion) -> bool:
        """Return whether the suggestion is shown, once it may be."""
        if not self._is_likely(signals_of(suggestion, question.snapshot.language_id)):
            return False
        settings, waited_ms = self._session.settings.completion, self._session.editor_delay_ms
        left_ms = settings.min_show_delay_ms - waited_ms - question.spent_ms()
        await asyncio.sleep(max(left_ms, 0) / 1000)
        return True

    def learn(self, event: Mapping[str, Any]) -> None:
        """Learn what became of a suggestion; `event` as it is stored."""
        if self._acceptance is not None:
            _learn(self._acceptance, (event,))

    def _is_likely(self, signals: Signals) -> bool:
        least = self._session.settings.completion.min_accept_probability
        if not least:
            return True
        if self._acceptance is None:
            self._acceptance = Acceptance()
            self._session.background(self._remember())
        likely = self._acceptance.probability(signals)
        return likely is None or likely >= least

    async def _remember(self) -> None:
        """Learn what former sessions stored."""
        self._acceptance = await asyncio.to_thread(lambda: _learn(Acceptance(), history.events()))


def signals_of(suggestion: Suggestion, language: str) -> Signals:
    """Return what is known of a suggestion."""
    return Signals(
        characters=len(suggestion.text),
        lines=suggestion.text.count("\n") + 1,
        begins_line=suggestion.begins_line,
        language=language,
        confidence=suggestion.confidence,
    )


def _learn(acceptance: Acceptance, events: Iterable[Mapping[str, Any]]) -> Acceptance:
    for event in events:
        outcome = _OUTCOMES.get(event.get("event", ""))
        if outcome is not None:
            acceptance.learn(_stored(event), accepted=outcome)
    return acceptance


def _stored(event: Mapping[str, Any]) -> Signals:
    confidence = event.get("confidence")
    return Signals(
        characters=_number(event.get("shown_chars")),
        lines=_number(event.get("lines")),
        begins_line=event.get("begins_line") is True,
        language=str(event.get("language")),
        confidence=confidence if isinstance(confidence, float) else None,
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
