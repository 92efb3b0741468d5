"""Finds the suggestion for one question.

What is known already is shown at once; what is being said already is waited for; only then is the
backend asked.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.calls import RequestOptions, has_prompt
from cato_lsp.completion.reader import AnswerReader
from cato_lsp.decisions.habits import (
    LOOK_AHEAD_MS,
    SHOW_BY_MS,
    TYPICAL_TTFT_MS,
    budget_ms,
    debounce_ms,
)
from cato_lsp.suggestions.answer_store import AnswerStore
from cato_lsp.suggestions.generation import SHOWN_S, TYPING_S, UNCHANGED_S, Generation
from cato_lsp.suggestions.questions import CompletionContext, Question, Source, Suggestion
from cato_lsp.suggestions.requests import BackendRequests, CompletionRequest

if TYPE_CHECKING:
    from cato_lsp.backend.link import Connection
    from cato_lsp.decisions.habits import LogprobSupport
    from cato_lsp.session.session import Session
    from cato_lsp.suggestions.feedback import FeedbackLedger

log = logging.getLogger(__name__)

LINES_AHEAD = 1
"""How far a stream continues behind what is shown of it."""

ALTERNATIVES = 2

TEMPERATURE = 0.8
"""Of further candidates, so that they are others."""

OTHERS = 3
"""Answers that are asked for in addition where the engine reports no log probabilities."""

SAMPLED = 1.0
"""The temperature at which a model says something else as often as it is unsure."""


async def until_shown(
    generation: Generation, reader: AnswerReader, asked: CompletionContext
) -> None:
    """Wait until all is there, or a whole line and no more patience."""
    try:
        async with asyncio.timeout(_left_s(asked) if asked.question.automatic else None):
            while not (reader.complete or generation.over):
                await generation.more()
    except TimeoutError:
        while not (reader.showable or generation.over):
            await generation.more()


async def until_compared(generation: Generation, asked: CompletionContext) -> None:
    """Wait until the further answers have said as much as the one that is shown, or no more."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_left_s(asked)):
            await generation.compared()


def _left_s(asked: CompletionContext) -> float:
    """Return how much patience is left, in seconds."""
    return max(SHOW_BY_MS[asked.assignment.task] - asked.question.spent_ms(), 0) / 1000


Found = tuple[bool, Suggestion | None]
"""Whether it is known what there is to show, and what that is."""


class SuggestionFinder:
    """Looks in the answers of the document, then asks the backend."""

    def __init__(
        self,
        session: Session,
        answers: AnswerStore,
        requests: BackendRequests,
        feedback: FeedbackLedger,
        logprobs: LogprobSupport,
    ) -> None:
        self._session = session
        self._answers = answers
        self._requests = requests
        self._feedback = feedback
        self._logprobs = logprobs

    async def automatic(self, asked: CompletionContext) -> Suggestion | None:
        """Find an automatic suggestion, after the debounce unless one is on its way."""
        found, suggestion = self._known(asked)
        if found:
            self._session.usage.from_cache += 1
            return suggestion
        found, suggestion = await self._streaming(asked)
        if found:
            self._session.usage.from_stream += 1
            return suggestion
        self._requests.collect_context(asked.question.snapshot, asked.question.offset)
        await asyncio.sleep(self._debounce_ms() / 1000)
        return await self._ask(asked)

    async def for_menu(self, asked: CompletionContext) -> Suggestion | None:
        """Find one entry; what is known or on its way is not asked for again."""
        found, suggestion = self._known(asked)
        if not found:
            found, suggestion = await self._streaming(asked)
        return suggestion if found else await self._ask(asked)

    async def invoked(self, asked: CompletionContext) -> list[Suggestion | None]:
        """Find suggestions for an explicit request: several if one is known already."""
        self._answers.of(asked.question.snapshot.uri).close(CancelReason.TYPED)
        found, known = self._known(asked)
        if not found or known is None:
            return [await self._ask(asked)]
        others = (self._ask(asked, TEMPERATURE) for _ in range(ALTERNATIVES))
        return [known, *await asyncio.gather(*others)]

    def is_known(self, question: Question) -> bool:
        """Return whether there is an answer already, or one is on its way."""
        answers = self._answers.of(question.snapshot.uri)
        text, offset = question.snapshot.text, question.offset
        return bool(answers.known(text, offset) or answers.streaming(text, offset))

    async def look_ahead(self, asked: CompletionContext, connection: Connection) -> None:
        """Request an answer in advance, at a lower priority than requests that are waited for."""
        tells = self._tells_confidence(asked, connection)
        options = RequestOptions(LOOK_AHEAD_MS, confidence=tells)
        generation = await self._begun(asked, connection, options)
        reader = asked.reader()
        generation.follow(reader, "")
        generation.leave(reader, SHOWN_S)

    def _debounce_ms(self) -> float:
        """Return how long to wait, from now, before the backend is asked."""
        completion, times = self._session.settings.completion, self._session.times
        if not completion.adaptive_debounce:
            return completion.debounce_ms
        return debounce_ms(
            self._session.rhythm,
            # Not how long the person waited: that holds the debounce itself.
            answer_ms=times.ttft_ms or TYPICAL_TTFT_MS,
            load=times.load or 0.0,
            editor_ms=self._session.editor_delay_ms,
            longest_ms=completion.debounce_ms,
        )

    def _known(self, asked: CompletionContext) -> Found:
        """Return what former answers say here."""
        snapshot, offset = asked.question.snapshot, asked.question.offset
        in_line = bool(asked.assignment.limits.stop)
        answers = self._answers.of(snapshot.uri)
        hit = answers.known(snapshot.text, offset, in_line=in_line)
        if hit is None:
            return False, None
        ignored = answers.times_ignored(snapshot.text, offset, hit.rest)
        reader = asked.judged(hit.answer, len(hit.typed), ignored)
        if not (reader.complete or hit.answer.whole or asked.has_enough(hit)):
            return False, None
        request_id, truncated = hit.answer.request_id, hit.answer.truncated
        found = asked.suggestion(reader, request_id, Source.CACHE, truncated=truncated)
        # Of what is on the screen nothing is taken back: inside a line the rule would be one line.
        left = self._feedback.left(request_id, snapshot, offset) if not ignored else ""
        if left.strip() and (found is None or len(found.text) < len(left)):
            found = asked.showing(left, request_id, Source.CACHE, reader.confidence)
        return True, found

    async def _streaming(self, asked: CompletionContext) -> Found:
        """Return what an answer says that is on its way, in the form of `_known`."""
        snapshot, offset = asked.question.snapshot, asked.question.offset
        found = self._answers.of(snapshot.uri).streaming(snapshot.text, offset)
        if found is None:
            return False, None
        generation, typed = found
        suggestion = await self._shown(asked, generation, typed, Source.STREAM)
        # It may have gone on to say something else than what had been typed ahead of it.
        return generation.agrees(typed), suggestion

    async def _ask(self, asked: CompletionContext, temperature: float = 0.0) -> Suggestion | None:
        """Ask the backend. Ask again without log probabilities if it refuses to report them."""
        question, connection = asked.question, self._session.link.connection
        if connection is None or not has_prompt(
            connection.model, question.snapshot, question.offset
        ):
            return None
        tells = self._tells_confidence(asked, connection)
        found = await self._answered(asked, connection, temperature)
        if found is None and tells and not self._tells_confidence(asked, connection):
            return await self._answered(asked, connection, temperature)
        return found

    async def _answered(
        self, asked: CompletionContext, connection: Connection, temperature: float
    ) -> Suggestion | None:
        options = RequestOptions(
            budget_ms=budget_ms(
                asked.assignment.ttft_ms or 0,
                spent_ms=asked.question.spent_ms(),
                round_trip_ms=connection.round_trip_ms,
            ),
            supersede=asked.question.automatic,
            temperature=temperature,
            confidence=self._tells_confidence(asked, connection),
        )
        generation = await self._begun(asked, connection, options)
        return await self._shown(asked, generation, "", Source.ASKED)

    async def _begun(
        self, asked: CompletionContext, connection: Connection, options: RequestOptions
    ) -> Generation:
        """Ask, and where the engine reports no log probabilities, ask for further answers, too.

        Other answers are asked of a CATO gateway only: elsewhere they could delay the next request.
        """
        further = None
        if asked.wants_others and connection.model.cancels and not options.temperature:
            further = replace(options, supersede=False, temperature=SAMPLED, answers=OTHERS)
        return await self._requests.complete(connection, _request(asked, options), further)

    def _tells_confidence(self, asked: CompletionContext, connection: Connection) -> bool:
        """Return whether the engine is asked for log probabilities.

        It is if that matters here, and if it has not refused.
        """
        return asked.least_confidence > 0 and self._logprobs.may_tell(connection.client)

    async def _shown(
        self, asked: CompletionContext, generation: Generation, typed: str, source: Source
    ) -> Suggestion | None:
        """Wait for what there is to show of what comes after `typed`, and return it."""
        reader = asked.reader()
        generation.follow(reader, typed)
        try:
            async with asyncio.timeout(self._session.settings.completion.timeout_ms / 1000):
                await until_shown(generation, reader, asked)
        except TimeoutError:
            log.info("completion %s: given up", generation.call.request_id)
            generation.cancel(CancelReason.CLOSED)
            return None
        except asyncio.CancelledError:
            unchanged = is_current(self._session, asked.question)
            generation.leave(reader, UNCHANGED_S if unchanged else TYPING_S)
            raise
        reader.settle_for(LINES_AHEAD)
        generation.leave(reader, SHOWN_S)
        if asked.least_estimated:
            await until_compared(generation, asked)
        broke_off = generation.over and not (generation.whole or reader.complete)
        if broke_off or not generation.text.startswith(typed):
            return None
        self._session.answered(asked.question.spent_ms(), generation.stream.head.load)
        fragment = not generation.whole or generation.token_stream.truncated
        snapshot, offset = asked.question.snapshot, asked.question.offset
        rest = generation.text[len(typed) :]
        ignored = self._answers.of(snapshot.uri).times_ignored(snapshot.text, offset, rest)
        if ignored or asked.least_estimated:
            reader = asked.judged(generation.answer(), len(typed), ignored)
        return asked.suggestion(reader, generation.call.request_id, source, truncated=fragment)


def is_current(session: Session, question: Question) -> bool:
    """Return whether the text is as it was.

    Its version does not tell: some clients never change it.
    """
    now = session.documents.snapshot(question.snapshot.uri)
    return now is not None and now.text == question.snapshot.text


def _request(asked: CompletionContext, options: RequestOptions) -> CompletionRequest:
    question = asked.question
    return CompletionRequest(
        question.snapshot, question.offset, asked.assignment, options, question.asked_at_s
    )
