"""Sends a question to the backend; the answer goes to the document's answers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cato_lsp.backend.calls import completion_call
from cato_lsp.backend.failures import Denied, Unreachable
from cato_lsp.completion.reuse import Place
from cato_lsp.session.generation import Generation
from cato_lsp.window import Window, window

if TYPE_CHECKING:
    from cato_lsp.backend.link import Connection
    from cato_lsp.classify import Assignment
    from cato_lsp.session.session import Session
    from cato_lsp.text import Snapshot

log = logging.getLogger(__name__)


def begin(
    session: Session,
    connection: Connection,
    snapshot: Snapshot,
    offset: int,
    assignment: Assignment,
    *,
    budget_ms: int,
    supersede: bool,
) -> Generation:
    """Asks for what comes at `offset`. The answer is kept whoever waits for it."""
    answers = session.answers(snapshot.uri)
    seen = window(snapshot, offset, connection.model.prompt_characters)
    call = completion_call(
        assignment,
        seen,
        connection.model,
        session.sender(snapshot.uri),
        budget_ms=budget_ms,
        supersede=supersede,
    )

    def ended(generation: Generation) -> None:
        answers.ended(generation)
        if generation.failure is not None:
            log.info("completion %s: %s", call.request_id, generation.failure)
        if isinstance(generation.failure, Unreachable | Denied):
            session.link.look_again()

    stream = connection.client.open(call, cancels=connection.model.cancels)
    generation = Generation(_place(snapshot, offset, seen), call, stream, ended)
    answers.begin(generation)
    return generation


def _place(snapshot: Snapshot, offset: int, seen: Window) -> Place:
    return Place(
        seen.prefix,
        seen.suffix,
        from_start=len(seen.prefix) == offset,
        to_end=offset + len(seen.suffix) == len(snapshot.text),
    )
