"""`textDocument/inlineCompletion`, and `textDocument/completion` for clients without ghost text."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_lsp.decisions.classify import Action
from cato_lsp.protocol.clients import insert_mode
from cato_lsp.protocol.methods import COMMAND_ACCEPTED, Token
from cato_lsp.session.documents import position_of
from cato_lsp.suggestions.questions import Question, Suggestion

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.session.session import Session

log = logging.getLogger(__name__)

LONGEST_LABEL = 60


def inline_completion(
    connection: ClientConnection, message_id: Token, params: types.InlineCompletionParams
) -> asyncio.Future[Any]:
    """Answer a list of items, or null; null also if a newer request took its place."""
    invoked = params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
    action = Action.INVOKED_COMPLETION if invoked else Action.AUTOMATIC_COMPLETION
    uri = params.text_document.uri
    question = _question(connection.session, uri, params.position, action)
    work = _inline_items(connection, question, params.context.selected_completion_info)
    return connection.session.requests.start(message_id, work, topic=uri)


def completion(
    connection: ClientConnection, message_id: Token, params: types.CompletionParams
) -> asyncio.Future[Any]:
    """Answer a list of entries for the menu, or null."""
    session, uri = connection.session, params.text_document.uri
    question = _question(session, uri, params.position, Action.INVOKED_COMPLETION, in_menu=True)
    work = _menu_items(connection, question)
    return session.requests.start(message_id, work, topic=uri)


def _question(
    session: Session,
    uri: str,
    position: types.Position,
    action: Action,
    *,
    in_menu: bool = False,
) -> Question | None:
    """Return the question as of now; None if the document is not open or not wanted."""
    snapshot = session.documents.snapshot(uri)
    automatic = action is Action.AUTOMATIC_COMPLETION
    if snapshot is None or not session.wants(snapshot, automatic=automatic):
        return None
    offset = snapshot.offset(position_of(position), session.documents.encoding)
    return Question(snapshot, offset, action, time.perf_counter(), in_menu)


def _cursor(session: Session, question: Question) -> types.Position:
    """Return where the question was asked: the client's position, brought inside the text."""
    position = question.snapshot.position(question.offset, session.documents.encoding)
    return types.Position(position.line, position.character)


def _accepted_command(suggestion: Suggestion) -> types.Command:
    """Return the command that the client runs once the suggestion was accepted."""
    return types.Command("Accepted", COMMAND_ACCEPTED, arguments=[suggestion.request_id])


def accepted(
    connection: ClientConnection, message_id: Token, params: types.ExecuteCommandParams
) -> asyncio.Future[Any]:
    """Run COMMAND_ACCEPTED, which clients send once a suggestion was accepted, and answer null."""
    work = _accepted(connection, next(iter(params.arguments or ()), None))
    return connection.session.requests.start(message_id, work)


async def _accepted(connection: ClientConnection, request_id: object) -> None:
    if isinstance(request_id, str):
        log.info("accepted: %s", request_id)
        connection.completions.accepted(request_id)


# -- ghost text --


async def _inline_items(
    connection: ClientConnection,
    question: Question | None,
    selected: types.SelectedCompletionInfo | None,
) -> types.InlineCompletionList | None:
    if question is None:
        return None
    found = await connection.completions.suggest(question)
    session = connection.session
    here = _cursor(session, question)
    items = [
        types.InlineCompletionItem(
            insert_text=suggestion.text,
            range=types.Range(here, here),
            command=_accepted_command(suggestion),
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
    """Return whether the item continues from the entry that the menu has selected.

    Only then may ghost text stand beside the menu. The item is made to begin where the entry does.
    """
    snapshot = question.snapshot
    start = snapshot.offset(position_of(selected.range.start), session.documents.encoding)
    item.insert_text = f"{snapshot.text[start : question.offset]}{item.insert_text}"
    item.range = selected.range
    return item.insert_text.startswith(selected.text)


# -- the menu --


async def _menu_items(
    connection: ClientConnection, question: Question | None
) -> types.CompletionList | None:
    found = await connection.completions.suggest(question) if question is not None else []
    if question is None or not found:
        return None
    here, word = _cursor(connection.session, question), _word_before(question)
    mode = insert_mode(connection.client_capabilities)
    items = [_menu_item(suggestion, here, word, mode) for suggestion in found]
    return types.CompletionList(is_incomplete=True, items=items)


def _menu_item(
    suggestion: Suggestion, here: types.Position, word: str, mode: types.InsertTextMode | None
) -> types.CompletionItem:
    # Menus filter by the word before the cursor, which the suggestion continues.
    entry = (word + suggestion.text.lstrip("\n")).strip()
    return types.CompletionItem(
        label=entry.split("\n", 1)[0][:LONGEST_LABEL],
        kind=types.CompletionItemKind.Text,
        detail="CATO",
        documentation=suggestion.text,
        filter_text=entry,
        text_edit=types.TextEdit(types.Range(here, here), suggestion.text),
        insert_text_mode=mode,
        command=_accepted_command(suggestion),
    )


def _word_before(question: Question) -> str:
    text, end = question.snapshot.text, question.offset
    start = end
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start:end]
