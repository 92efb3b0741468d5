"""The completion service: makes suggestions, and follows what the person does with them."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lsprotocol import types

from cato_backend.wire.headers import CancelReason
from cato_lsp.decisions.classify import Action, classify, worth_asking
from cato_lsp.decisions.habits import REST_S, LogprobSupport, least_confidence, least_estimated
from cato_lsp.suggestions.answer_store import AnswerStore
from cato_lsp.suggestions.context import ContextCollector, RecentEdits
from cato_lsp.suggestions.feedback import FeedbackLedger
from cato_lsp.suggestions.finder import SuggestionFinder, is_current
from cato_lsp.suggestions.outcomes import DisplayGate, Reports
from cato_lsp.suggestions.questions import CompletionContext, Question, Suggestion
from cato_lsp.suggestions.requests import BackendRequests
from cato_lsp.syntax import SyntaxContext, syntax_context
from cato_lsp.text import Position, length_of

if TYPE_CHECKING:
    from cato_backend.wire.editor_calls import Feedback
    from cato_lsp.session.session import Session
    from cato_lsp.settings.settings import Settings

log = logging.getLogger(__name__)


class CompletionService:
    """Suggests completions in the documents of one session, and observes it."""

    def __init__(
        self,
        session: Session,
        *,
        answers: AnswerStore,
        edits: RecentEdits,
        feedback: FeedbackLedger,
        finder: SuggestionFinder,
        gate: DisplayGate,
        logprobs: LogprobSupport,
        reports: Reports,
        requests: BackendRequests,
    ) -> None:
        self._session = session
        self._answers = answers
        self._edits = edits
        self._feedback = feedback
        self._finder = finder
        self._gate = gate
        self._logprobs = logprobs
        self._reports = reports
        self._requests = requests

    # -- what features ask --

    async def suggest(self, question: Question) -> list[Suggestion]:
        """Return what there is to show, the best first. Never raises for the backend.

        Several only where the person asks for more at a place that has a suggestion already.
        """
        context = _context_of(question)
        if not worth_asking(question.action, context):
            return []
        asked = self.understood(question, context)
        if question.automatic:
            found = [await self._finder.automatic(asked)]
        elif question.in_menu:
            found = [await self._finder.for_menu(asked)]
        else:
            found = await self._finder.invoked(asked)
        unlike: dict[str, Suggestion] = {}
        for one in found:
            if one is not None:
                unlike.setdefault(one.text, one)
        shown = list(unlike.values())
        if question.automatic:
            shown = [one for one in shown if await self._wanted(question, one)]
        for one in shown:
            first = one is shown[0]
            self._feedback.answered(one, question.snapshot, question.offset, first=first)
        return shown

    def understood(self, question: Question, context: SyntaxContext) -> CompletionContext:
        """Return the question with what it asks for.

        That goes beyond a statement if doubt ends what is shown.
        """
        settings, connection = self._session.settings, self._session.link.connection
        of_model = connection.model.least_confidence if connection is not None else 0.0
        least = least_confidence(settings.completion.min_confidence, of_model)
        targets = settings.targets
        if connection is not None:
            targets = targets.on_hardware(connection.model.needed_ms)
        believed = least if question.automatic else 0.0
        untold = connection is not None and not self._logprobs.may_tell(connection.client)
        tells = connection is not None and self._logprobs.tells(connection.client)
        assignment = classify(
            question.action, context, targets, doubts=least > 0 and (tells or untold)
        )
        estimated = least_estimated(settings.completion.min_confidence) if untold else 0.0
        return CompletionContext(
            question,
            context,
            assignment,
            settings.completion,
            believed,
            estimated if believed else 0.0,
            self._answers.reliability,
        )

    def did_show(self, request_id: str) -> None:
        """Record that the editor shows the suggestion."""
        self._feedback.did_show(request_id)

    def partially_accepted(self, request_id: str, accepted_chars: int) -> None:
        """Record that the suggestion's first `accepted_chars` characters were accepted."""
        self._feedback.partially_accepted(request_id, accepted_chars)

    def accepted(self, request_id: str) -> None:
        """Record that the suggestion was accepted, and look for the next one behind it."""
        shown = self._feedback.accepted(request_id)
        snapshot = self._session.documents.snapshot(shown.uri) if shown is not None else None
        if shown is None or snapshot is None:
            return
        length = length_of(shown.suggestion.text, snapshot.text, shown.offset)
        if length is not None:
            offset, now_s = shown.offset + length, time.perf_counter()
            question = Question(snapshot, offset, Action.AUTOMATIC_COMPLETION, now_s)
            self._session.background(self._look_ahead(question))

    def focus(self, uri: str, position: Position | None) -> None:
        """Record that the person is in this document, at `position` if that is known."""
        documents = self._session.documents
        snapshot = documents.snapshot(uri)
        if snapshot is None or not self._session.wants(snapshot, automatic=True):
            return
        offset = snapshot.offset(position, documents.encoding) if position else None
        self._session.background(self._requests.warm(snapshot, offset))

    # -- what the session tells --

    def settings_changed(self, former: Settings) -> None:
        """Take over other settings, which hold for what is known already, too."""
        now = self._session.settings
        if now.privacy != former.privacy:
            self._requests.forget_context()
        if now.completion != former.completion:
            self._feedback.judge_again()
            self._answers.reconfigured(former.completion, now.completion)

    def folders_changed(self) -> None:
        """Record that the workspace has other folders now."""
        self._requests.forget_context()

    def document_changed(self, params: types.DidChangeTextDocumentParams) -> None:
        """Record that a document was changed."""
        uri = params.text_document.uri
        text, cursors = self._session.documents.typed(params)
        if cursors:
            self._edits.edited(uri, cursors[0])
            self._ignored(uri, text, cursors[0])
        self._answers.changed(uri, text, cursors)

    def document_closed(self, uri: str) -> None:
        """Record that a document was closed, or that its text is not known any more."""
        self._feedback.gone(uri)
        self._requests.forget(uri)
        self._edits.forget(uri)
        self._answers.forget(uri)

    def suggestions_unwanted(self, uri: str) -> None:
        """Record that nothing is wanted in this document any more."""
        self._answers.of(uri).close(CancelReason.CLOSED)

    def session_closed(self) -> None:
        """Record that the session ends."""
        self._feedback.close()
        self._answers.close()
        self._reports.close()

    # -- how --

    def _ignored(self, uri: str, text: str, cursor: int) -> None:
        """Record a suggestion that the person did not accept although they had time to read it."""
        if self._session.rhythm.gap_s < REST_S:
            return
        untaken = self._feedback.untaken(uri, text, cursor)
        if untaken is not None:
            self._answers.of(uri).ignore(text, *untaken)

    async def _wanted(self, question: Question, suggestion: Suggestion) -> bool:
        """Return whether the suggestion is shown.

        It is if it stands on the screen already or the gate admits it, and if the document has not
        changed meanwhile. Not every editor checks that; one whose user typed on asks again.
        """
        is_shown = self._feedback.on_screen(question.snapshot.uri) == suggestion.request_id
        if not (is_shown or await self._gate.admits(question, suggestion)):
            return False
        return is_current(self._session, question)

    async def _look_ahead(self, question: Question) -> None:
        """Have the next completion ready behind one that was accepted."""
        connection = self._session.link.connection
        if connection is not None and not self._finder.is_known(question):
            asked = self.understood(question, _context_of(question))
            await self._finder.look_ahead(asked, connection)


def completion_service(session: Session) -> CompletionService:
    """Return the service of a session, which it observes from now on, with its collaborators."""
    answers, logprobs, reports = AnswerStore(), LogprobSupport(), Reports(session)
    edits, gate = RecentEdits(session), DisplayGate(session)
    context = ContextCollector(session.permissions.allows_path, edits.files)

    def tell(feedback: Feedback, more: dict[str, object]) -> None:
        gate.learn(reports.feedback(feedback, more))

    feedback = FeedbackLedger(session.documents.snapshot, tell, session.counts)
    requests = BackendRequests(session, answers, context, logprobs, reports)
    service = CompletionService(
        session,
        answers=answers,
        edits=edits,
        feedback=feedback,
        finder=SuggestionFinder(session, answers, requests, feedback, logprobs),
        gate=gate,
        logprobs=logprobs,
        reports=reports,
        requests=requests,
    )
    session.observers.append(service)
    return service


def _context_of(question: Question) -> SyntaxContext:
    """Return the syntax around the cursor, by the text alone if the tree cannot be read."""
    try:
        return syntax_context(question.snapshot, question.offset)
    except Exception:
        log.exception("a syntax tree could not be read (%s)", question.snapshot.language_id)
    return syntax_context(replace(question.snapshot, tree=None, settled=False), question.offset)
