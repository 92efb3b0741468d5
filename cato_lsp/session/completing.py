"""One completion, from a snapshot to the text that is shown.

What is known already is shown at once; what is being said already is waited for; only then is the
backend asked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from cato_backend.wire.headers import CancelReason, Task
from cato_lsp.backend.calls import Wishes
from cato_lsp.backend.link import Connection
from cato_lsp.completion.reading import Reading
from cato_lsp.decisions.classify import Action, Assignment, classify, worth_asking
from cato_lsp.session.asking import Inquiry, begin, says_anything
from cato_lsp.session.generation import SHOWN_S, TYPING_S, UNCHANGED_S, Generation
from cato_lsp.session.questions import Question, Source, Suggestion, Understood
from cato_lsp.syntax import SyntaxContext, syntax_context
from cato_lsp.text import Snapshot

if TYPE_CHECKING:
    from cato_lsp.session.session import Session
    from cato_lsp.settings.settings import CompletionSettings

log = logging.getLogger(__name__)

SHOW_BY_MS = {Task.COMPLETION: 250.0, Task.GENERATION: 1500.0}
"""From then on what came so far is shown, as far as its lines are whole; the rest is there when
the person types on. Ghost text cannot grow: editors take one answer."""

LINES_AHEAD = 1
"""How far a stream goes on behind what is shown of it."""
LEAST_BUDGET = 0.5
LOOK_AHEAD_MS = 2000
"""The budget of what nobody waits for yet: it comes behind what somebody does."""
ALTERNATIVES = 2
TEMPERATURE = 0.8
"""Of further candidates, so that they are others."""


async def suggestions(session: Session, question: Question) -> list[Suggestion]:
    """What there is to show, the best first. Never raises for the backend.

    Several only where somebody asks for more at a place that has one already.
    """
    context = _context_of(question)
    if not worth_asking(question.action, context):
        return []
    asked = _understood(session, question, context)
    if question.automatic:
        found = [await _automatic(session, asked)]
    elif question.in_menu:
        found = [await _for_menu(session, asked)]
    else:
        found = await _invoked(session, asked)
    shown = list({one.text: one for one in reversed(found) if one is not None}.values())[::-1]
    if question.automatic:
        shown = [one for one in shown if await _wanted(session, question, one)]
    for one in shown:
        first = one is shown[0]
        session.workbench.feedback.answered(one, question.snapshot, question.offset, first=first)
    return shown


def _context_of(question: Question) -> SyntaxContext:
    """The syntax around the cursor: by the text alone, should the tree not be read."""
    try:
        return syntax_context(question.snapshot, question.offset)
    except Exception:
        log.exception("a syntax tree could not be read (%s)", question.snapshot.language_id)
    return syntax_context(replace(question.snapshot, tree=None, settled=False), question.offset)


def _understood(session: Session, question: Question, context: SyntaxContext) -> Understood:
    """The question with what it asks for: beyond a statement where doubt ends what is shown."""
    settings, connection = session.settings, session.link.connection
    least = _least_confidence(settings.completion, connection)
    doubts = connection is not None and session.workbench.confidence.tells(connection.client)
    assignment = classify(question.action, context, settings.targets, doubts=doubts and least > 0)
    believed = least if question.automatic else 0.0
    return Understood(question, context, assignment, settings.completion, believed)


def _least_confidence(settings: CompletionSettings, connection: Connection | None) -> float:
    if settings.min_confidence is not None:
        return settings.min_confidence
    return connection.model.least_confidence if connection is not None else 0.0


async def _wanted(session: Session, question: Question, suggestion: Suggestion) -> bool:
    """Whether the gate admits it, and it is still for what stands in the document: not every editor
    looks whether an answer is. Whoever typed on will ask again."""
    if not await session.workbench.gate.admits(question, suggestion):
        return False
    return _is_current(session, question)


def _is_current(session: Session, question: Question) -> bool:
    """Whether the text is as it was. Its version does not tell: some clients never change it."""
    now = session.documents.snapshot(question.snapshot.uri)
    return now is not None and now.text == question.snapshot.text


async def _automatic(session: Session, asked: Understood) -> Suggestion | None:
    usage = session.workbench.usage
    found, suggestion = _known(session, asked)
    if found:
        usage.from_cache += 1
        return suggestion
    found, suggestion = await _streaming(session, asked)
    if found:
        usage.from_stream += 1
        return suggestion
    session.workbench.look_around(asked.question.snapshot, asked.question.offset)
    await asyncio.sleep(session.debounce_ms() / 1000)
    return await _ask(session, asked)


async def _for_menu(session: Session, asked: Understood) -> Suggestion | None:
    """One entry; what is known or on its way is not asked for once more."""
    for look in (_at_once, _streaming):
        found, suggestion = await look(session, asked)
        if found:
            return suggestion
    return await _ask(session, asked)


async def _at_once(session: Session, asked: Understood) -> tuple[bool, Suggestion | None]:
    return _known(session, asked)


async def _invoked(session: Session, asked: Understood) -> list[Suggestion | None]:
    session.workbench.answers(asked.question.snapshot.uri).close(CancelReason.TYPED)
    found, known = _known(session, asked)
    if not found or known is None:
        return [await _ask(session, asked)]
    others = (_ask(session, asked, TEMPERATURE) for _ in range(ALTERNATIVES))
    return [known, *await asyncio.gather(*others)]


def _known(session: Session, asked: Understood) -> tuple[bool, Suggestion | None]:
    """Whether what comes here is known already, and what there is to show of it."""
    snapshot, offset = asked.question.snapshot, asked.question.offset
    in_line = bool(asked.assignment.limits.stop)
    hit = session.workbench.answers(snapshot.uri).known(snapshot.text, offset, in_line=in_line)
    if hit is None:
        return False, None
    reading = asked.reading()
    reading.feed(hit.tokens)
    if not (reading.complete or hit.answer.whole):
        return False, None
    request_id, truncated = hit.answer.request_id, hit.answer.truncated
    found = asked.suggestion(reading, request_id, Source.CACHE, truncated=truncated)
    # Of what is on the screen nothing is taken back: inside a line the rule would be one line.
    left = session.workbench.feedback.left(request_id, snapshot, offset)
    if left.strip() and (found is None or len(found.text) < len(left)):
        found = asked.showing(left, request_id, Source.CACHE, reading.confidence)
    return True, found


async def _streaming(session: Session, asked: Understood) -> tuple[bool, Suggestion | None]:
    """As `_known`, of an answer that is on its way."""
    snapshot, offset = asked.question.snapshot, asked.question.offset
    found = session.workbench.answers(snapshot.uri).streaming(snapshot.text, offset)
    if found is None:
        return False, None
    generation, typed = found
    suggestion = await _shown(session, asked, generation, typed, Source.STREAM)
    # It may have gone on to say something else than what had been typed ahead of it.
    return generation.agrees(typed), suggestion


async def _ask(session: Session, asked: Understood, temperature: float = 0.0) -> Suggestion | None:
    """Asks the backend; once more, without log probabilities, where it refuses to tell them."""
    question = asked.question
    connection = session.link.connection
    if connection is None or not says_anything(
        connection.model, question.snapshot, question.offset
    ):
        return None
    tells = _tells_confidence(session, asked, connection)
    found = await _answered(session, asked, connection, temperature)
    if found is None and tells and not _tells_confidence(session, asked, connection):
        return await _answered(session, asked, connection, temperature)
    return found


async def _answered(
    session: Session, asked: Understood, connection: Connection, temperature: float
) -> Suggestion | None:
    question = asked.question
    wishes = Wishes(
        budget_ms=budget_ms(asked.assignment, question, connection),
        supersede=question.automatic,
        temperature=temperature,
        confidence=_tells_confidence(session, asked, connection),
    )
    inquiry = Inquiry(question.snapshot, question.offset, asked.assignment, wishes)
    generation = await begin(session, connection, inquiry)
    return await _shown(session, asked, generation, "", Source.ASKED)


def _tells_confidence(session: Session, asked: Understood, connection: Connection) -> bool:
    """Whether the engine is to tell how sure it is: it matters here, and it has not refused."""
    confidence = session.workbench.confidence
    return asked.least_confidence > 0 and confidence.may_tell(connection.client)


async def _shown(
    session: Session, asked: Understood, generation: Generation, typed: str, source: Source
) -> Suggestion | None:
    """Waits for what there is to show of what comes after `typed`."""
    reading = asked.reading()
    generation.follow(reading, typed)
    try:
        async with asyncio.timeout(session.settings.completion.timeout_ms / 1000):
            await _until_shown(generation, reading, asked)
    except TimeoutError:
        log.info("completion %s: given up", generation.call.request_id)
        generation.cancel(CancelReason.CLOSED)
        return None
    except asyncio.CancelledError:
        unchanged = _is_current(session, asked.question)
        generation.leave(UNCHANGED_S if unchanged else TYPING_S)
        raise
    reading.settle_for(LINES_AHEAD)
    generation.leave(SHOWN_S)
    broke_off = generation.over and not (generation.whole or reading.complete)
    if broke_off or not generation.text.startswith(typed):
        return None
    session.answered(asked.question.spent_ms(), generation.stream.head.load)
    fragment = not generation.whole or generation.pieces.truncated
    return asked.suggestion(reading, generation.call.request_id, source, truncated=fragment)


async def _until_shown(generation: Generation, reading: Reading, asked: Understood) -> None:
    """Until all is there, or a whole line and no more patience."""
    patience_s = (SHOW_BY_MS[asked.assignment.task] - asked.question.spent_ms()) / 1000
    try:
        async with asyncio.timeout(max(patience_s, 0) if asked.question.automatic else None):
            while not (reading.complete or generation.over):
                await generation.more()
    except TimeoutError:
        while not (reading.showable or generation.over):
            await generation.more()


def budget_ms(assignment: Assignment, question: Question, connection: Connection) -> int:
    """What is left of the TTFT target once it is on the wire.

    A wait that was chosen because the backend is busy leaves half of the target at least: less
    than that no backend could meet.
    """
    target_ms = assignment.ttft_ms or 0
    left_ms = target_ms - question.spent_ms() - connection.round_trip_ms
    return int(max(left_ms, target_ms * LEAST_BUDGET))


async def look_ahead(session: Session, snapshot: Snapshot, offset: int) -> None:
    """Has the next completion ready behind one that was accepted, in nobody's way."""
    connection = session.link.connection
    answers = session.workbench.answers(snapshot.uri)
    is_known = answers.known(snapshot.text, offset) or answers.streaming(snapshot.text, offset)
    if connection is None or is_known:
        return
    question = Question(snapshot, offset, Action.AUTOMATIC_COMPLETION, time.perf_counter())
    asked = _understood(session, question, _context_of(question))
    wishes = Wishes(LOOK_AHEAD_MS, confidence=_tells_confidence(session, asked, connection))
    inquiry = Inquiry(snapshot, offset, asked.assignment, wishes)
    generation = await begin(session, connection, inquiry)
    generation.follow(asked.reading(), "")
    generation.leave(SHOWN_S)
