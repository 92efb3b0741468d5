"""Requests to the backend about documents: completions, and warm-ups of their prompts."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from cato_lsp.backend.calls import RequestOptions, completion_call, warm_call, window_for
from cato_lsp.backend.failures import Refused, outdates_the_connection
from cato_lsp.completion.reuse import PromptAnchor
from cato_lsp.decisions.window import Window
from cato_lsp.suggestions.answer_store import AnswerStore
from cato_lsp.suggestions.generation import Generation
from cato_lsp.text import with_lf

if TYPE_CHECKING:
    from cato_lsp.backend.calls import Call
    from cato_lsp.backend.client import BackendClient
    from cato_lsp.backend.link import Connection
    from cato_lsp.backend.models import Model
    from cato_lsp.decisions.classify import Assignment
    from cato_lsp.decisions.habits import LogprobSupport
    from cato_lsp.decisions.pieces import Piece
    from cato_lsp.session.session import Session
    from cato_lsp.suggestions.context import ContextCollector
    from cato_lsp.suggestions.generation import FurtherAnswers
    from cato_lsp.suggestions.outcomes import Reports
    from cato_lsp.text import Snapshot
    from cato_lsp.tracing.spans import KeySpan

log = logging.getLogger(__name__)

NOT_FOUND = 404
_CANNOT = (400, 422, 500, 501)
"""Statuses with which servers refuse what they cannot do."""


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A completion to request: its offset and options."""

    snapshot: Snapshot
    offset: int
    assignment: Assignment
    options: RequestOptions
    asked_at_s: float
    """When the person acted, on this process's monotonic clock."""

    def spent_ms(self) -> float:
        """Return the time since then."""
        return (time.perf_counter() - self.asked_at_s) * 1000


class BackendRequests:
    """Sends completions and warm-ups; the answers go to the documents' answers."""

    def __init__(
        self,
        session: Session,
        answers: AnswerStore,
        context: ContextCollector,
        logprobs: LogprobSupport,
        reports: Reports,
    ) -> None:
        self._session = session
        self._answers = answers
        self._context = context
        self._logprobs = logprobs
        self._reports = reports
        self._warm: dict[str, Window] = {}
        """Document to what was warmed of it last."""
        self._warm_unsupported_by: BackendClient | None = None
        self._refuses_further: BackendClient | None = None

    async def complete(
        self,
        connection: Connection,
        request: CompletionRequest,
        further: RequestOptions | None = None,
    ) -> Generation:
        """Request a completion. The answer is kept even if its request has ended.

        `further`: how further answers are asked for, which are compared with it and not shown.
        """
        snapshot, offset = request.snapshot, request.offset
        seen = window_for(connection.model, snapshot, offset)
        self.collect_context(snapshot, offset)
        pieces = await self._context.pieces(snapshot.uri)
        call = self._call(connection, request, seen, pieces)
        answers = self._answers.of(snapshot.uri)
        span = self._span(request, call)

        def ended(generation: Generation) -> None:
            answers.ended(generation)
            if span is not None:
                failure = generation.failure
                span.ended(generation.ttft_ms, type(failure).__name__ if failure else "")
            self._ended(connection.client, request, generation)

        stream = connection.client.open(call, cancels=connection.model.cancels)
        generation = Generation(_anchor(snapshot, offset, seen), call, stream, ended)
        self._session.usage.asked += 1
        answers.begin(generation)
        if further is not None and connection.client is not self._refuses_further:
            again = self._call(connection, replace(request, options=further), seen, pieces)
            if span is not None:
                again.headers.update(span.headers())
            others = connection.client.open(again, cancels=connection.model.cancels)
            told = partial(self._further_ended, connection.client)
            generation.compare(others, further.answers, told)
        return generation

    def _further_ended(self, client: BackendClient, further: FurtherAnswers) -> None:
        """Record that the server refuses further answers."""
        failure = further.failure
        if isinstance(failure, Refused) and failure.status in _CANNOT:
            log.info("further answers are not asked for any more: %s", failure)
            self._refuses_further = client

    def _span(self, request: CompletionRequest, call: Call) -> KeySpan | None:
        """Begin a span where completions are traced, and make the call a part of it."""
        spans = self._session.tracing.spans
        if spans is None:
            return None
        task, language_id = request.assignment.task.value, request.snapshot.language_id
        span = spans.begin(request.spent_ms(), call.request_id, task, language_id)
        call.headers.update(span.headers())
        return span

    def _call(
        self,
        connection: Connection,
        request: CompletionRequest,
        seen: Window,
        pieces: Sequence[Piece],
    ) -> Call:
        ids = self._session.client_ids(request.snapshot.uri)
        return completion_call(
            request.assignment, seen, pieces, connection.model, ids, request.options
        )

    async def warm(self, snapshot: Snapshot, offset: int | None) -> None:
        """Have the document's prompt computed, unless just that is done already.

        An `offset` of None means that the cursor is not known, so that only the head of the
        document is computed.
        """
        connection = self._session.link.connection
        if connection is None or not connection.model.cancels:
            return
        client, seen = connection.client, _warm_window(connection.model, snapshot, offset)
        if client is self._warm_unsupported_by or not seen.prefix or self._is_warm(snapshot, seen):
            return
        self._warm[snapshot.uri] = seen
        self.collect_context(snapshot, offset or 0)
        pieces = await self._context.pieces(snapshot.uri)
        call = warm_call(seen, pieces, connection.model, self._session.client_ids(snapshot.uri))
        status = await client.post(call.path, call.body, call.headers)
        self._session.link.answered(client, status)
        if status == NOT_FOUND:
            self._warm_unsupported_by = client
        self._session.usage.warmed += status == 200

    def collect_context(self, snapshot: Snapshot, offset: int) -> None:
        """Begin to collect what other files say, if that is not known and can be used."""
        connection = self._session.link.connection
        if connection is not None and connection.model.cancels:
            seen = window_for(connection.model, snapshot, offset)
            self._context.look(snapshot, offset, offset - len(seen.prefix))

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._warm.pop(uri, None)
        self._context.forget(uri)

    def forget_context(self) -> None:
        """Forget the context, because other files may be read now."""
        self._context.forget_all()

    def _ended(
        self, client: BackendClient, request: CompletionRequest, generation: Generation
    ) -> None:
        self._session.usage.tell(generation.token_stream.usage)
        if generation.ttft_ms is not None:
            self._session.times.began(generation.ttft_ms)
        self._reports.requested()
        failure, request_id = generation.failure, generation.call.request_id
        self._session.times.last_request_id = request_id
        log.debug(
            "completion %s: %s, %d lines, %d characters",
            *(request_id, request.assignment.limits.extent),
            *(generation.text.count("\n"), len(generation.text)),
        )
        if failure is not None:
            log.info("completion %s: %s", request_id, failure)
            self._session.failed(str(failure))
            if outdates_the_connection(failure):
                self._session.link.failed(client, failure)
        elif generation.whole:
            self._session.times.recovered()
        if request.options.confidence:
            self._observe_logprobs(client, generation)

    def _observe_logprobs(self, client: BackendClient, generation: Generation) -> None:
        failure = generation.failure
        if isinstance(failure, Refused) and "logprob" in str(failure):
            self._logprobs.observe(client, told=False)
        elif generation.text:
            told = any(token.logprob is not None for token in generation.answer().tokens)
            self._logprobs.observe(client, told=told)

    def _is_warm(self, snapshot: Snapshot, seen: Window) -> bool:
        known = self._warm.get(snapshot.uri)
        return known is not None and known.prefix.startswith(seen.prefix)


def _warm_window(model: Model, snapshot: Snapshot, offset: int | None) -> Window:
    if offset is not None:
        return window_for(model, snapshot, offset)
    # Wherever the cursor will be, the text before it begins the prompt; not so behind a suffix.
    end = 0 if model.suffix_first else len(snapshot.text)
    whole = window_for(model, snapshot, end)
    return whole if len(whole.prefix) == end else Window("", "")


def _anchor(snapshot: Snapshot, offset: int, seen: Window) -> PromptAnchor:
    return PromptAnchor(
        with_lf(seen.prefix),
        with_lf(seen.suffix),
        from_start=len(seen.prefix) == offset,
        to_end=offset + len(seen.suffix) == len(snapshot.text),
    )
