"""What became of suggestions, as JSON lines on this machine; never a character of them.

The backend is told too, where the person wants that.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cato_backend.wire.feedback import FEEDBACK_PATH, Feedback
from cato_backend.wire.paths import state_dir

if TYPE_CHECKING:
    from cato_lsp.session.session import Session

log = logging.getLogger(__name__)

LARGEST = 4 * 1024 * 1024
"""In bytes; then the file becomes the older one, in place of the one before."""

STORED_EVERY = 50
"""Requests after which a session's counts are stored, in case it ends without a word."""


class Reports:
    """Stores and sends what became of one session's suggestions, as its settings want."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def feedback(self, feedback: Feedback, more: dict[str, object]) -> dict[str, object]:
        """Store what became of a suggestion, and return the event as it is stored.

        `more` is for this machine only.
        """
        event = {**feedback.body(), **more, "editor": self._session.editor}
        self._store(event)
        connection, settings = self._session.link.connection, self._session.settings.feedback
        if settings.send and connection is not None and connection.model.cancels:
            self._session.background(self._send(feedback))
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
    """Yield all events that are stored, oldest first; a line that is none is left out."""
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
