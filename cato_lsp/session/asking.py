"""Sends a question to the backend; the answer goes to the document's answers."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cato_lsp.backend.calls import Wishes, completion_call
from cato_lsp.backend.failures import outdates_the_connection
from cato_lsp.completion.reuse import PromptAnchor
from cato_lsp.decisions.window import Window, prompt_window
from cato_lsp.session.generation import Generation
from cato_lsp.text import with_lf

if TYPE_CHECKING:
    from cato_lsp.backend.link import Connection
    from cato_lsp.backend.models import Model
    from cato_lsp.decisions.classify import Assignment
    from cato_lsp.session.session import Session
    from cato_lsp.text import Snapshot

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked for: what comes at `offset`, and with which wishes."""

    snapshot: Snapshot
    offset: int
    assignment: Assignment
    wishes: Wishes


async def begin(session: Session, connection: Connection, inquiry: Inquiry) -> Generation:
    """Asks. The answer is kept whoever waits for it."""
    snapshot, bench = inquiry.snapshot, session.workbench
    seen = window_for(connection.model, snapshot, inquiry.offset)
    bench.look_around(snapshot, inquiry.offset)
    call = completion_call(
        inquiry.assignment,
        seen,
        await bench.gatherer.pieces(snapshot.uri),
        connection.model,
        session.sender(snapshot.uri),
        inquiry.wishes,
    )
    answers = bench.answers(snapshot.uri)

    def ended(generation: Generation) -> None:
        answers.ended(generation)
        bench.ended(generation)
        log.debug(
            "completion %s: %s, %d lines, %d characters",
            *(call.request_id, inquiry.assignment.limits.extent),
            *(generation.text.count("\n"), len(generation.text)),
        )
        if generation.failure is not None:
            log.info("completion %s: %s", call.request_id, generation.failure)
        if generation.failure is not None and outdates_the_connection(generation.failure):
            session.link.failed(connection.client, generation.failure)
        if inquiry.wishes.confidence:
            bench.confidence.observe(connection.client, generation)

    stream = connection.client.open(call, cancels=connection.model.cancels)
    generation = Generation(_place(snapshot, inquiry.offset, seen), call, stream, ended)
    bench.usage.asked += 1
    answers.begin(generation)
    return generation


def window_for(model: Model, snapshot: Snapshot, offset: int) -> Window:
    """What this model sees of the document."""
    room, suffix_first = model.prompt_characters, model.suffix_first
    return prompt_window(snapshot, offset, room, suffix_first=suffix_first)


def says_anything(model: Model, snapshot: Snapshot, offset: int) -> bool:
    """Whether there is any text to complete: servers refuse an empty prompt."""
    seen = window_for(model, snapshot, offset)
    return bool(seen.prefix or (model.fills_in_the_middle and seen.suffix.strip()))


def _place(snapshot: Snapshot, offset: int, seen: Window) -> PromptAnchor:
    return PromptAnchor(
        with_lf(seen.prefix),
        with_lf(seen.suffix),
        from_start=len(seen.prefix) == offset,
        to_end=offset + len(seen.suffix) == len(snapshot.text),
    )
