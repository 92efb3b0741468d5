"""The state of one connection.

It does not depend on the services that use it: observers receive its changes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lsprotocol import types

from cato_lsp.backend.calls import ClientIds
from cato_lsp.backend.link import Link, State
from cato_lsp.backend.models import advice
from cato_lsp.decisions.habits import TypingRhythm
from cato_lsp.session.documents import Documents, Permissions
from cato_lsp.session.requests import Requests
from cato_lsp.session.status import AnswerTimes, Status, SuggestionCounts, Usage
from cato_lsp.session.tracing import Tracing
from cato_lsp.settings.lookup import Complaint
from cato_lsp.settings.settings import Settings, parse
from cato_lsp.text import Snapshot

if TYPE_CHECKING:
    from cato_lsp.backend.sign_in import DeviceSignIn

log = logging.getLogger(__name__)

BUSY_LOAD = 0.9

FAREWELL_S = 0.5
"""What is left to write at the end may take so long."""

PAUSE_S = 0.5
"""Seconds without a key after which a parse may run that would delay a key."""


class SessionObserver(Protocol):
    """Receives the events of a session."""

    def settings_changed(self, former: Settings) -> None:
        """Record that other settings hold from now on."""
        ...

    def folders_changed(self) -> None:
        """Record that the workspace has other folders now."""
        ...

    def document_changed(self, params: types.DidChangeTextDocumentParams) -> None:
        """Record that a document was changed."""
        ...

    def document_closed(self, uri: str) -> None:
        """Record that a document was closed, or that its text is not known any more."""
        ...

    def suggestions_unwanted(self, uri: str) -> None:
        """Record that nothing is wanted in this document any more."""
        ...

    def session_closed(self) -> None:
        """Record that the session ends."""
        ...


class Session:
    """One editor's connection; needs a running loop."""

    def __init__(
        self,
        tell_status: Callable[[Status], None],
        log_path: str | None,
        warn: Callable[[str], None],
    ) -> None:
        """`warn` shows the person a text."""
        self._warn = warn
        self.settings = Settings()
        self.documents = Documents()
        self.permissions = Permissions()
        self.requests = Requests()
        self.usage = Usage()
        self.counts = SuggestionCounts()
        self.times = AnswerTimes()
        self.rhythm = TypingRhythm()
        self.observers: list[SessionObserver] = []
        self.initialization_options: object = None
        self.tracing = Tracing(warn)
        self.link = Link(lambda: self.settings.backend, self.status_changed)
        self.begun = False
        """Whether configuration and backend have been asked for."""
        self.closed = False
        """Set once the client said `shutdown`, or is gone."""
        self.id = secrets.token_hex(8)
        self.editor = ""
        """The editor's name."""
        self.editor_delay_ms = 0.0
        """How long the editor waits after a key before it asks."""
        self.sign_in: DeviceSignIn | None = None
        """A sign-in that has begun."""
        self.roots: tuple[Path, ...] = ()
        """The folders of the workspace."""
        self._tell_status = tell_status
        self._log_path = log_path
        self._told: tuple[object, ...] = ()
        self._background: set[asyncio.Task[None]] = set()
        self._endless: list[asyncio.Task[None]] = []
        self._settling: asyncio.TimerHandle | None = None
        self._complaints: set[Complaint] = set()

    def configure(self, configuration: object) -> list[Complaint]:
        """Take over new settings; return the complaints that were not made before."""
        former, (self.settings, complaints) = (
            self.settings,
            parse(configuration, self.initialization_options),
        )
        if self.settings.privacy != former.privacy:
            self.permissions.change(self.settings.privacy, self.roots)
        if self.settings.backend != former.backend:
            self.times.recovered()
            self.link.restart()
        if self.settings.tracing != former.tracing:
            self.background(self.tracing.follow(wanted=self.settings.tracing.enabled))
        for observer in self.observers:
            observer.settings_changed(former)
        self._end_unwanted()
        self.status_changed()
        fresh = [complaint for complaint in complaints if complaint not in self._complaints]
        self._complaints.update(fresh)
        return fresh

    def move_to(self, roots: tuple[Path, ...]) -> None:
        """Take over the folders that the workspace has now."""
        self.roots = roots
        self.permissions.change(self.settings.privacy, roots)
        for observer in self.observers:
            observer.folders_changed()
        self._end_unwanted()

    def _end_unwanted(self) -> None:
        """End what is under way in documents where nothing is wanted any more."""
        for uri in self.documents.uris():
            snapshot = self.documents.snapshot(uri)
            if snapshot is not None and not self.wants(snapshot, automatic=False):
                self.requests.supersede(uri)
                for observer in self.observers:
                    observer.suggestions_unwanted(uri)

    def open_document(self, item: types.TextDocumentItem) -> None:
        """Open a document."""
        self.documents.open(item)
        self.permissions.forget(item.uri)

    def change_document(self, params: types.DidChangeTextDocumentParams) -> None:
        """Make the changes; settle the document once the person pauses."""
        uri = params.text_document.uri
        try:
            self.documents.change(params)
        except Exception:
            log.exception("a change could not be made")
            self.lose_document(uri)
            return
        self.rhythm.key(time.monotonic())
        for observer in self.observers:
            observer.document_changed(params)
        if self._settling is not None:
            self._settling.cancel()
        loop = asyncio.get_running_loop()
        self._settling = loop.call_later(PAUSE_S, self.documents.settle, uri)

    def lose_document(self, uri: str) -> None:
        """Treat a document's text as unknown, because a change of it could not be made.

        Nothing is said about it until all of its text comes: when it is saved, or opened again.
        """
        if self.documents.lose(uri):
            self.requests.supersede(uri)
            for observer in self.observers:
                observer.document_closed(uri)
            name = uri.rpartition("/")[2]
            self._warn(
                f"cato: a change of {name} could not be read, so there are no suggestions in it:"
                " save it, or close it and open it again"
            )

    def close_document(self, uri: str) -> None:
        """Forget a document, and whatever was being asked about it."""
        self.documents.close(uri)
        for observer in self.observers:
            observer.document_closed(uri)
        self.requests.supersede(uri)

    def wants(self, snapshot: Snapshot, *, automatic: bool) -> bool:
        """Return whether automatic suggestions, or requested ones, are wanted in this document."""
        is_enabled = self.settings.enabled_for(snapshot.language_id, automatic=automatic)
        return is_enabled and self.permissions.allows(snapshot.uri)

    def client_ids(self, uri: str) -> ClientIds:
        """Return opaque ids of this session and a document."""
        digest = hashlib.blake2b(uri.encode(), key=self.id.encode(), digest_size=8)
        return ClientIds(self.id, digest.hexdigest())

    def answered(self, latency_ms: float, load: float | None) -> None:
        """Record an answer."""
        self.times.answered(latency_ms, load)
        self.status_changed()

    def failed(self, failure: str) -> None:
        """Record a request that failed."""
        self.times.failed(failure)
        self.status_changed()

    def status(self) -> Status:
        """Return the status as of now."""
        backend, load = self.link.status, self.times.load
        state, message = backend.state, backend.message
        if state is State.READY and (load or 0) >= BUSY_LOAD:
            state, message = State.BUSY, "the backend is busy: suggestions may be late"
        if state is State.READY and self.times.trouble:
            state, message = State.BUSY, f"the latest requests failed: {self.times.trouble}"
        if not self.settings.completion.enabled:
            state, message = State.DISABLED, "inline completion is switched off"
        connection = self.link.connection
        latency_ms = self.times.latency_ms if connection else None
        model = connection.model if connection else None
        return Status(
            state=state,
            message=message,
            backend_url=backend.url,
            latency_ms=None if latency_ms is None else round(latency_ms, 1),
            load=load if connection else None,
            log_path=self._log_path,
            acceptance=self.counts.acceptance,
            tokens_saved=self.usage.tokens_saved,
            accepted_characters=self.counts.accepted_chars,
            model=model.title if model else None,
            model_parameters=model.parameters if model else None,
            model_advice=advice(model) if model else "",
            last_request_id=self.times.last_request_id,
        )

    def status_changed(self) -> None:
        """Tell the client, if there is something new to tell."""
        status = self.status()
        if status.told_apart_by() != self._told:
            self._told = status.told_apart_by()
            self._tell_status(status)

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Let `work` run beside everything else."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        """Let `work` run until the session ends."""
        self._endless.append(asyncio.create_task(work))

    async def close(self) -> None:
        """End what runs for this connection; nothing begins any more."""
        self.closed = True
        for task in self._endless:
            task.cancel()
        await self.requests.close()
        for observer in self.observers:
            observer.session_closed()
        await self.link.close()
        if self._background:
            await asyncio.wait(self._background, timeout=FAREWELL_S)
        await self.tracing.close()
