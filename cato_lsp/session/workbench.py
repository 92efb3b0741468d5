"""What completing needs of a session beyond its plain state; there once a document is open."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types

from cato_backend.wire.feedback import FEEDBACK_PATH, Feedback
from cato_backend.wire.headers import CancelReason
from cato_lsp.decisions.pieces import OtherFile
from cato_lsp.session import history
from cato_lsp.session.answers import Answers
from cato_lsp.session.asking import window_for
from cato_lsp.session.confidence import Confidence
from cato_lsp.session.feedback import FeedbackLedger
from cato_lsp.session.gate import Gate
from cato_lsp.session.gathering import Gatherer
from cato_lsp.session.usage import Usage
from cato_lsp.session.warming import Warmer

if TYPE_CHECKING:
    from cato_lsp.session.generation import Generation
    from cato_lsp.session.session import Session
    from cato_lsp.settings.settings import Settings
    from cato_lsp.text import Snapshot

log = logging.getLogger(__name__)

STORED_EVERY = 50
"""Requests after which the session's counts are stored, in case it ends without a word."""


class Workbench:
    """The answers, surroundings, feedback and counts of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._answers: dict[str, Answers] = {}
        self._edited: dict[str, int] = {}
        """Document to where it was edited last; the latest at the end."""
        self.gatherer = Gatherer(lambda path: session.privacy.allows(path))
        self.feedback = FeedbackLedger(session.documents.snapshot, self._tell)
        self.gate = Gate(session)
        self.usage = Usage()
        self.warmer = Warmer(session)
        self.confidence = Confidence()

    def answers(self, uri: str) -> Answers:
        """What was said about a document."""
        return self._answers.setdefault(uri, Answers())

    def reconfigured(self, former: Settings) -> None:
        """Other settings hold from now on, for what is known already, too."""
        now = self._session.settings
        if now.privacy != former.privacy:
            self.gatherer.forget_all()
        if now.completion != former.completion:
            self.feedback.judge_anew()
            for answers in self._answers.values():
                answers.reconfigured(former.completion, now.completion)

    def changed(self, params: types.DidChangeTextDocumentParams) -> None:
        """A document was changed."""
        uri = params.text_document.uri
        text, cursors = self._session.documents.typed(params)
        if cursors:
            self._edited.pop(uri, None)
            self._edited[uri] = cursors[0]
        if uri in self._answers:
            self._answers[uri].changed(text, cursors)

    def closed(self, uri: str) -> None:
        """A document was closed."""
        self.feedback.gone(uri)
        self.gatherer.forget(uri)
        self.warmer.forget(uri)
        self._edited.pop(uri, None)
        if uri in self._answers:
            self._answers.pop(uri).close(CancelReason.CLOSED)

    def look_around(self, snapshot: Snapshot, offset: int) -> None:
        """Begins to gather what other files say, where that is not known."""
        connection = self._session.link.connection
        if connection is not None and connection.model.cancels:
            seen = window_for(connection.model, snapshot, offset)
            start = offset - len(seen.prefix)
            self.gatherer.look(snapshot, offset, start, self._others())

    def ended(self, generation: Generation) -> None:
        """An answer is over."""
        self.usage.tell(generation.pieces.usage)
        if generation.ttft_ms is not None:
            self._session.began(generation.ttft_ms)
        if self.usage.asked % STORED_EVERY == 0:
            self._store_usage()

    def close(self) -> None:
        """The session ends."""
        self.feedback.close()
        for answers in self._answers.values():
            answers.close(CancelReason.CLOSED)
        if self.usage.asked:
            self._store_usage()

    def _others(self) -> Iterable[OtherFile]:
        """The other open documents that may be read, the one edited last first."""
        latest = list(reversed(self._edited))
        uris = [*latest, *(uri for uri in self._session.documents.uris() if uri not in latest)]
        for uri in uris:
            snapshot = self._session.documents.snapshot(uri)
            if snapshot is not None and self._session.allows(uri):
                name = uri.rpartition("/")[2].partition("#")[0]
                yield OtherFile(name, snapshot, self._edited.get(uri))

    def _store_usage(self) -> None:
        named = {"event": "usage", "session": self._session.id, "time_s": round(time.time(), 3)}
        self._store({**named, **self.usage.body()})

    def _tell(self, feedback: Feedback, more: dict[str, object]) -> None:
        event = {**feedback.body(), **more, "editor": self._session.editor}
        self.gate.learn(event)
        self._store(event)
        connection, settings = self._session.link.connection, self._session.settings.feedback
        if settings.send and connection is not None and connection.model.cancels:
            self._session.background(self._send(feedback))

    def _store(self, event: dict[str, object]) -> None:
        if self._session.settings.feedback.store:
            self._session.background(asyncio.to_thread(history.append, event))

    async def _send(self, feedback: Feedback) -> None:
        connection = self._session.link.connection
        if connection is not None:
            status = await connection.client.post(FEEDBACK_PATH, feedback.body(), {})
            self._session.link.answered(connection.client, status)
