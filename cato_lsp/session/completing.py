"""One completion, from a snapshot to the text that is shown."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.calls import completion_call
from cato_lsp.backend.completions import Pieces
from cato_lsp.backend.failures import BackendFailure, Denied, Unreachable
from cato_lsp.backend.link import Connection
from cato_lsp.classify import Action, Assignment, classify, worth_asking
from cato_lsp.completion import Completeness
from cato_lsp.syntax import SyntaxContext, syntax_context
from cato_lsp.text import Snapshot
from cato_lsp.window import window

if TYPE_CHECKING:
    from cato_lsp.session.session import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Question:
    """What a completion is asked for; taken before anything else can change the document."""

    snapshot: Snapshot
    offset: int
    action: Action
    asked_at_s: float
    """On this process's monotonic clock."""

    def spent_ms(self) -> float:
        """Time since the person acted."""
        return (time.perf_counter() - self.asked_at_s) * 1000


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is shown, and the request that it came from."""

    text: str
    request_id: str


async def suggest(session: Session, question: Question) -> Suggestion | None:
    """The suggestion, or None where there is none to be had. Never raises for the backend."""
    context = syntax_context(question.snapshot, question.offset)
    if not worth_asking(question.action, context):
        return None
    if question.action is Action.AUTOMATIC_COMPLETION and session.settings.completion.debounce_ms:
        await asyncio.sleep(session.settings.completion.debounce_ms / 1000)
    if (connection := session.link.connection) is None:
        return None
    return await _ask(session, connection, question, context)


async def _ask(
    session: Session, connection: Connection, question: Question, context: SyntaxContext
) -> Suggestion | None:
    settings = session.settings
    assignment = classify(question.action, context, settings.targets)
    call = completion_call(
        assignment,
        window(question.snapshot, question.offset, connection.model.prompt_characters),
        connection.model,
        session.sender(question.snapshot.uri),
        budget_ms=budget_ms(assignment, question, connection),
        supersede=question.action is Action.AUTOMATIC_COMPLETION,
    )
    stream = connection.client.open(call, cancels=connection.model.cancels)
    pieces = Pieces(stream)
    completeness = Completeness(context, assignment, max_lines=settings.completion.max_lines)
    reason = CancelReason.CLOSED
    try:
        async with asyncio.timeout(settings.completion.timeout_ms / 1000):
            await _feed(pieces, completeness)
        reason = CancelReason.ENOUGH
    except asyncio.CancelledError:
        if question.snapshot.uri in session.documents:
            reason = CancelReason.TYPED
        raise
    except TimeoutError:
        log.info("completion %s: given up", call.request_id)
        return None
    except BackendFailure as failure:
        log.info("completion %s: %s", call.request_id, failure)
        if isinstance(failure, Unreachable | Denied):
            session.link.look_again()
        return None
    finally:
        stream.cancel(reason)
    session.answered(question.spent_ms(), stream.head.load)
    text = completeness.text(truncated=pieces.truncated)
    return Suggestion(text, call.request_id) if text else None


def budget_ms(assignment: Assignment, question: Question, connection: Connection) -> int:
    """What is left of the TTFT target once it is on the wire."""
    target_ms = assignment.ttft_ms or 0
    return int(target_ms - question.spent_ms() - connection.round_trip_ms)


async def _feed(pieces: Pieces, completeness: Completeness) -> None:
    async for text in pieces:
        if completeness.feed(text):
            return
