"""The outcomes of suggestions: they are stored, sent, and used to decide what is shown.

The store is a file of JSON lines on this machine, without a character of the suggestions. The
backend is told too, where the person wants that. The display gate is separate from the asking, so
that what is held back is there as soon as it may be shown.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cato_backend.wire.editor_calls import FEEDBACK_PATH, Feedback, FeedbackEvent
from cato_backend.wire.state_files import state_dir
from cato_lsp.decisions.habits import Acceptance, Signals

if TYPE_CHECKING:
    from cato_lsp.session.session import Session
    from cato_lsp.suggestions.questions import Question, Suggestion

log = logging.getLogger(__name__)

LARGEST = 4 * 1024 * 1024
"""In bytes; then the file becomes the older one, instead of the one before."""

_NO_NAME = re.compile(r"[^A-Za-z0-9+#_. -]")
STORED_EVERY = 50
"""Requests after which a session's counts are stored, in case it ends without a word."""
_OUTCOMES = {
    FeedbackEvent.ACCEPTED: True,
    FeedbackEvent.PARTIALLY_ACCEPTED: True,
    FeedbackEvent.REJECTED: False,
}


class Reports:
    """Stores and sends the outcomes of one session's suggestions, as its settings say."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def feedback(self, feedback: Feedback, more: dict[str, object]) -> dict[str, object]:
        """Store the outcome of a suggestion, and return the event as it is stored.

        `more` is for this machine only.
        """
        event = {**feedback.body(), **more, "editor": self._session.editor}
        self._store(event)
        connection, settings = self._session.link.connection, self._session.settings.feedback
        if settings.send and connection is not None and connection.model.cancels:
            named = replace(feedback, editor=editor_name(self._session.editor))
            self._session.background(self._send(named))
        return event

    def requested(self) -> None:
        """Store the counts now and then, after the answer to a request."""
        if self._session.usage.asked % STORED_EVERY == 0:
            self._store_usage()

    def close(self) -> None:
        """Store the counts, because the session ends."""
        if self._session.usage.asked:
            self._store_usage()

    def _store_usage(self) -> None:
        named = {"event": "usage", "session": self._session.id, "time_s": round(time.time(), 3)}
        self._store({**named, **self._session.usage.body()})

    def _store(self, event: dict[str, object]) -> None:
        if self._session.settings.feedback.store:
            self._session.background(asyncio.to_thread(append, event))

    async def _send(self, feedback: Feedback) -> None:
        connection = self._session.link.connection
        if connection is not None:
            status = await connection.client.post(FEEDBACK_PATH, feedback.body(), {})
            self._session.link.answered(connection.client, status)


def editor_name(name: str) -> str | None:
    """Return an editor's name as far as the backend takes it."""
    return _NO_NAME.sub("", name)[:60] or None


def history_path() -> Path:
    """Return the path of the newest events."""
    return state_dir() / "history.jsonl"


def older_path() -> Path:
    """Return the path of the events before those."""
    return history_path().with_suffix(".1.jsonl")


def append(event: Mapping[str, object]) -> None:
    """Write one event; a disk that is full costs the event and nothing else."""
    path = history_path()
    line = json.dumps(event, separators=(",", ":")) + "\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LARGEST:
            path.replace(older_path())
        # One write of one line: those of several processes do not get into each other.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("an event could not be stored: %s", error.strerror)


def events() -> Iterator[dict[str, Any]]:
    """Yield all stored events, oldest first; invalid lines are left out."""
    for path in (older_path(), history_path()):
        if not path.exists():
            continue
        with path.open(encoding="utf-8", errors="replace") as lines:
            yield from (event for line in lines if (event := _event(line)) is not None)


def _event(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


class DisplayGate:
    """Decides for one session which automatic suggestions are shown."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._acceptance: Acceptance | None = None
        """None until it is needed."""

    async def admits(self, question: Question, suggestion: Suggestion) -> bool:
        """Return whether the suggestion is shown, once it may be."""
        if not self._is_likely(signals_of(suggestion, question.snapshot.language_id)):
            return False
        settings, waited_ms = self._session.settings.completion, self._session.editor_delay_ms
        left_ms = settings.min_show_delay_ms - waited_ms - question.spent_ms()
        await asyncio.sleep(max(left_ms, 0) / 1000)
        return True

    def learn(self, event: Mapping[str, Any]) -> None:
        """Learn from the outcome of a suggestion; `event` as it is stored."""
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
        self._acceptance = await asyncio.to_thread(lambda: _learn(Acceptance(), events()))


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
