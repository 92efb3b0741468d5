"""`textDocument/inlineCompletion`: ghost text."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_lsp.decisions.classify import Action
from cato_lsp.protocol.methods import COMMAND_ACCEPTED, Token
from cato_lsp.session.completing import suggestions
from cato_lsp.session.documents import position_of
from cato_lsp.session.questions import Question, Suggestion

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer
    from cato_lsp.session.session import Session


def start(
    server: CatoServer, message_id: Token, params: types.InlineCompletionParams
) -> asyncio.Future[Any]:
    """Answers a list of items, or null; null also where a newer request took its place."""
    invoked = params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
    action = Action.INVOKED_COMPLETION if invoked else Action.AUTOMATIC_COMPLETION
    uri = params.text_document.uri
    question = ask(server.session, uri, params.position, action)
    work = _answer(server.session, question, params.context.selected_completion_info)
    return server.session.requests.start(message_id, work, topic=uri)


def ask(
    session: Session,
    uri: str,
    position: types.Position,
    action: Action,
    *,
    in_menu: bool = False,
) -> Question | None:
    """The question as of now, or None where the document is not open or not wanted."""
    snapshot = session.documents.snapshot(uri)
    automatic = action is Action.AUTOMATIC_COMPLETION
    if snapshot is None or not session.wants(snapshot, automatic=automatic):
        return None
    offset = snapshot.offset(position_of(position), session.documents.encoding)
    return Question(snapshot, offset, action, time.perf_counter(), in_menu)


def cursor(session: Session, question: Question) -> types.Position:
    """Where the question was asked: the client's position, brought inside the text."""
    position = question.snapshot.position(question.offset, session.documents.encoding)
    return types.Position(position.line, position.character)


def accepted_command(suggestion: Suggestion) -> types.Command:
    """What the client runs once the suggestion was accepted."""
    return types.Command("Accepted", COMMAND_ACCEPTED, arguments=[suggestion.request_id])


async def _answer(
    session: Session, question: Question | None, selected: types.SelectedCompletionInfo | None
) -> types.InlineCompletionList | None:
    found = await suggestions(session, question) if question is not None else []
    if question is None:
        return None
    here = cursor(session, question)
    items = [
        types.InlineCompletionItem(
            insert_text=suggestion.text,
            range=types.Range(here, here),
            command=accepted_command(suggestion),
        )
        for suggestion in found
    ]
    if selected is not None:
        items = [item for item in items if _continues(session, question, item, selected)]
    return types.InlineCompletionList(items) if items else None


def _continues(
    session: Session,
    question: Question,
    item: types.InlineCompletionItem,
    selected: types.SelectedCompletionInfo,
) -> bool:
    """Whether the item goes on from the entry that the menu has selected; only then may ghost text
    stand beside the menu. It is made to begin where the entry does."""
    snapshot = question.snapshot
    start = snapshot.offset(position_of(selected.range.start), session.documents.encoding)
    item.insert_text = f"{snapshot.text[start : question.offset]}{item.insert_text}"
    item.range = selected.range
    return item.insert_text.startswith(selected.text)
