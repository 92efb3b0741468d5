"""What one connection holds."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.calls import Sender
from cato_lsp.backend.link import Link
from cato_lsp.backend.models import advice
from cato_lsp.backend.status import State, Status
from cato_lsp.decisions.debounce import Rhythm, debounce_ms
from cato_lsp.session.documents import Documents
from cato_lsp.session.requests import Requests
from cato_lsp.settings.lookup import Complaint
from cato_lsp.settings.settings import Settings, parse
from cato_lsp.text import Position, Snapshot

if TYPE_CHECKING:
    from cato_lsp.session.privacy import Privacy
    from cato_lsp.session.workbench import Workbench

log = logging.getLogger(__name__)

LATENCIES_KEPT = 20
BUSY_LOAD = 0.9
TYPICAL_TTFT_MS = 100.0
JUDGED_AGAIN_S = 30.0
"""A .gitignore may have changed meanwhile."""
FAREWELL_S = 0.5
"""What is left to write at the end may take so long."""
PAUSE_S = 0.5
"""Nobody has typed for so long: there is time for a parse that a key could not wait for."""


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
        self.requests = Requests()
        self.initialization_options: object = None
        self.link = Link(lambda: self.settings.backend, self.status_changed)
        self.editor_delay_ms = 0.0
        """How long the editor waits after a key before it asks."""
        self.closed = False
        """Set once the client said `shutdown`, or is gone."""
        self.id = secrets.token_hex(8)
        self.editor = ""
        """The editor's name."""
        self.roots: tuple[Path, ...] = ()
        """The folders of the workspace."""
        self._tell_status = tell_status
        self._log_path = log_path
        self._latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._ttfts_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._load: float | None = None
        self._told: tuple[object, ...] = ()
        self._background: set[asyncio.Task[None]] = set()
        self._endless: list[asyncio.Task[None]] = []
        self._settling: asyncio.TimerHandle | None = None
        self._complaints: set[Complaint] = set()
        self._workbench: Workbench | None = None
        self._privacy: Privacy | None = None
        self._judged: dict[str, tuple[bool, float]] = {}
        self._rhythm = Rhythm()

    def configure(self, configuration: object) -> list[Complaint]:
        """Takes new settings over; returns the complaints that were not made before."""
        former, (self.settings, complaints) = (
            self.settings,
            parse(configuration, self.initialization_options),
        )
        if self.settings.privacy != former.privacy:
            self._privacy = None
            self._judged.clear()
        if self.settings.backend != former.backend:
            self.link.restart()
        if self._workbench is not None:
            self._workbench.reconfigured(former)
            self._silence(self._workbench)
        self.status_changed()
        fresh = [complaint for complaint in complaints if complaint not in self._complaints]
        self._complaints.update(fresh)
        return fresh

    def move_to(self, roots: tuple[Path, ...]) -> None:
        """The workspace has other folders now."""
        self.roots, self._privacy = roots, None
        self._judged.clear()
        if self._workbench is not None:
            self._workbench.gatherer.forget_all()
            self._silence(self._workbench)

    def _silence(self, bench: Workbench) -> None:
        """Ends what is under way in documents where nothing is wanted any more."""
        for uri in self.documents.uris():
            snapshot = self.documents.snapshot(uri)
            if snapshot is not None and not self.wants(snapshot, automatic=False):
                self.requests.supersede(uri)
                bench.answers(uri).close(CancelReason.CLOSED)

    def change_document(self, params: types.DidChangeTextDocumentParams) -> None:
        """Makes the changes; settles the document once the person pauses."""
        uri = params.text_document.uri
        try:
            self.documents.change(params)
        except Exception:
            log.exception("a change could not be made")
            self.lose_document(uri)
            return
        self._rhythm.key(time.monotonic())
        if self._workbench is not None:
            self._workbench.changed(params)
        if self._settling is not None:
            self._settling.cancel()
        loop = asyncio.get_running_loop()
        self._settling = loop.call_later(PAUSE_S, self.documents.settle, uri)

    def open_document(self, item: types.TextDocumentItem) -> None:
        """Opens a document, and has its head warmed."""
        self.documents.open(item)
        self._judged.pop(item.uri, None)
        self.focus(item.uri, None)

    def lose_document(self, uri: str) -> None:
        """A change of it could not be made: nothing is said about it until all of its text comes,
        when it is saved, or opened again."""
        if self.documents.lose(uri):
            self.requests.supersede(uri)
            if self._workbench is not None:
                self._workbench.closed(uri)
            name = uri.rpartition("/")[2]
            self._warn(
                f"cato: a change of {name} could not be read, so there are no suggestions in it:"
                " save it, or close it and open it again"
            )

    def focus(self, uri: str, position: Position | None) -> None:
        """The person is in this document now, at `position` where that is known."""
        snapshot = self.documents.snapshot(uri)
        if snapshot is None or not self.wants(snapshot, automatic=True):
            return
        offset = snapshot.offset(position, self.documents.encoding) if position else None
        self.background(self.workbench.warmer.warm(snapshot, offset))

    def close_document(self, uri: str) -> None:
        """Forgets a document, and whatever was being asked about it."""
        self.documents.close(uri)
        if self._workbench is not None:
            self._workbench.closed(uri)
        self.requests.supersede(uri)

    @property
    def workbench(self) -> Workbench:
        """What completing needs."""
        if self._workbench is None:
            # It brings syntax along, whose import `initialize` need not wait for.
            from cato_lsp.session.workbench import Workbench

            self._workbench = Workbench(self)
        return self._workbench

    @property
    def privacy(self) -> Privacy:
        """Which files may be read to a model."""
        if self._privacy is None:
            from cato_lsp.session.privacy import Privacy

            self._privacy = Privacy(self.settings.privacy, self.roots)
        return self._privacy

    def allows(self, uri: str) -> bool:
        """Whether the document may be read to a model."""
        now_s = asyncio.get_running_loop().time()
        allowed, judged_s = self._judged.get(uri, (False, -math.inf))
        if now_s - judged_s > JUDGED_AGAIN_S:
            allowed = self.privacy.allows_document(uri)
            self._judged[uri] = allowed, now_s
        return allowed

    def wants(self, snapshot: Snapshot, *, automatic: bool) -> bool:
        """Whether automatic suggestions, or requested ones, are wanted in this document."""
        is_enabled = self.settings.enabled_for(snapshot.language_id, automatic=automatic)
        return is_enabled and self.allows(snapshot.uri)

    def debounce_ms(self) -> float:
        """How long to wait, from now, before the backend is asked."""
        completion = self.settings.completion
        if not completion.adaptive_debounce:
            return completion.debounce_ms
        return debounce_ms(
            self._rhythm,
            # Not how long the person waited: that holds the debounce itself.
            answer_ms=_median(self._ttfts_ms) or TYPICAL_TTFT_MS,
            load=self._load or 0.0,
            editor_ms=self.editor_delay_ms,
            longest_ms=completion.debounce_ms,
        )

    def sender(self, uri: str) -> Sender:
        """This session and a document, in names that say nothing about either."""
        digest = hashlib.blake2b(uri.encode(), key=self.id.encode(), digest_size=8)
        return Sender(self.id, digest.hexdigest())

    def answered(self, latency_ms: float, load: float | None) -> None:
        """Takes note of an answer that came."""
        self._latencies_ms.append(latency_ms)
        self._load = load
        self.status_changed()

    def began(self, ttft_ms: float) -> None:
        """Takes note of how long after the asking an answer began."""
        self._ttfts_ms.append(ttft_ms)

    def status(self) -> Status:
        """How things stand now."""
        backend = self.link.status
        state, message = backend.state, backend.message
        if state is State.READY and (self._load or 0) >= BUSY_LOAD:
            state, message = State.BUSY, "the backend is busy: suggestions may be late"
        if not self.settings.completion.enabled:
            state, message = State.DISABLED, "inline completion is switched off"
        connection, bench = self.link.connection, self._workbench
        latency_ms = _median(self._latencies_ms) if connection else None
        model = connection.model if connection else None
        return Status(
            state=state,
            message=message,
            backend_url=backend.url,
            latency_ms=None if latency_ms is None else round(latency_ms, 1),
            load=self._load if connection else None,
            log_path=self._log_path,
            acceptance=bench.feedback.acceptance if bench else None,
            tokens_saved=bench.usage.tokens_saved if bench else None,
            accepted_characters=bench.feedback.accepted_chars if bench else 0,
            model=model.title if model else None,
            model_parameters=model.parameters if model else None,
            model_advice=advice(model) if model else "",
        )

    def status_changed(self) -> None:
        """Tells the client, if there is something new to tell."""
        status = self.status()
        if status.told_apart_by() != self._told:
            self._told = status.told_apart_by()
            self._tell_status(status)

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Lets `work` run beside everything else."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        """Lets `work` run until the session ends."""
        self._endless.append(asyncio.create_task(work))

    async def close(self) -> None:
        """Ends what runs for this connection; nothing begins any more."""
        self.closed = True
        for task in self._endless:
            task.cancel()
        await self.requests.close()
        if self._workbench is not None:
            self._workbench.close()
        await self.link.close()
        if self._background:
            await asyncio.wait(self._background, timeout=FAREWELL_S)


def _median(values: Collection[float]) -> float | None:
    # The statistics module brings decimal and fractions along: 30 ms of a start.
    return sorted(values)[len(values) // 2] if values else None
