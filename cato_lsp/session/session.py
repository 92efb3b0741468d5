"""What one connection holds."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.calls import Sender
from cato_lsp.backend.link import Link
from cato_lsp.rhythm import Rhythm, debounce_ms
from cato_lsp.session.documents import Documents
from cato_lsp.session.requests import Requests
from cato_lsp.session.settings import Complaint, Settings, parse
from cato_lsp.session.status import State, Status

if TYPE_CHECKING:
    from cato_lsp.session.answers import Answers

LATENCIES_KEPT = 20
BUSY_LOAD = 0.9
TYPICAL_ANSWER_MS = 200.0
PAUSE_S = 0.5
"""Nobody has typed for so long: there is time for a parse that a key could not wait for."""


class Session:
    """One editor's connection; needs a running loop."""

    def __init__(self, tell_status: Callable[[Status], None], log_path: str | None) -> None:
        self.settings = Settings()
        self.documents = Documents()
        self.requests = Requests()
        self.initialization_options: object = None
        self.link = Link(lambda: self.settings.backend, self.status_changed)
        self.editor_delay_ms = 0.0
        """How long the editor waits after a key before it asks."""
        self.closed = False
        """Set once the client said `shutdown`."""
        self._id = secrets.token_hex(8)
        self._tell_status = tell_status
        self._log_path = log_path
        self._latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._load: float | None = None
        self._told: tuple[object, ...] = ()
        self._background: set[asyncio.Task[None]] = set()
        self._settling: asyncio.TimerHandle | None = None
        self._complaints: set[Complaint] = set()
        self._answers: dict[str, Answers] = {}
        self._rhythm = Rhythm()

    def configure(self, configuration: object) -> list[Complaint]:
        """Takes new settings over; returns the complaints that were not made before."""
        former, (self.settings, complaints) = (
            self.settings,
            parse(configuration, self.initialization_options),
        )
        if self.settings.backend != former.backend:
            self.link.restart()
        self.status_changed()
        fresh = [complaint for complaint in complaints if complaint not in self._complaints]
        self._complaints.update(fresh)
        return fresh

    def change_document(self, params: types.DidChangeTextDocumentParams) -> None:
        """Makes the changes; settles the document once the person pauses."""
        uri = params.text_document.uri
        self.documents.change(params)
        self._rhythm.key(time.monotonic())
        if uri in self._answers:
            self._answers[uri].changed(*self.documents.typed(params))
        if self._settling is not None:
            self._settling.cancel()
        loop = asyncio.get_running_loop()
        self._settling = loop.call_later(PAUSE_S, self.documents.settle, uri)

    def close_document(self, uri: str) -> None:
        """Forgets a document, and whatever was being asked about it."""
        self.documents.close(uri)
        if uri in self._answers:
            self._answers.pop(uri).close(CancelReason.CLOSED)
        self.requests.supersede(uri)

    def answers(self, uri: str) -> Answers:
        """What was said about a document."""
        # It brings syntax along, whose import `initialize` need not wait for.
        from cato_lsp.session.answers import Answers

        return self._answers.setdefault(uri, Answers())

    def debounce_ms(self) -> float:
        """How long to wait, from now, before the backend is asked."""
        completion = self.settings.completion
        if not completion.adaptive_debounce:
            return completion.debounce_ms
        return debounce_ms(
            self._rhythm,
            answer_ms=_median(self._latencies_ms) or TYPICAL_ANSWER_MS,
            load=self._load or 0.0,
            editor_ms=self.editor_delay_ms,
            longest_ms=completion.debounce_ms,
        )

    def sender(self, uri: str) -> Sender:
        """This session and a document, in names that say nothing about either."""
        digest = hashlib.blake2b(uri.encode(), key=self._id.encode(), digest_size=8)
        return Sender(self._id, digest.hexdigest())

    def answered(self, latency_ms: float, load: float | None) -> None:
        """Takes note of an answer that came."""
        self._latencies_ms.append(latency_ms)
        self._load = load
        self.status_changed()

    def status(self) -> Status:
        """How things stand now."""
        standing = self.link.standing
        state, message = standing.state, standing.message
        if state is State.READY and (self._load or 0) >= BUSY_LOAD:
            state, message = State.BUSY, "the backend is busy: suggestions may be late"
        if not self.settings.completion.enabled:
            state, message = State.DISABLED, "inline completion is switched off"
        latency_ms = _median(self._latencies_ms)
        return Status(
            state=state,
            message=message,
            backend_url=standing.url,
            latency_ms=None if latency_ms is None else round(latency_ms, 1),
            load=self._load,
            log_path=self._log_path,
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

    async def close(self) -> None:
        """Ends what runs for this connection."""
        await self.requests.close()
        await self.link.close()


def _median(values: Collection[float]) -> float | None:
    # The statistics module brings decimal and fractions along: 30 ms of a start.
    return sorted(values)[len(values) // 2] if values else None
