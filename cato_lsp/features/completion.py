"""`textDocument/completion`: the same suggestion in the menu of a client without ghost text."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_lsp.decisions.classify import Action
from cato_lsp.features.inline_completion import accepted_command, ask, cursor
from cato_lsp.protocol.clients import insert_mode
from cato_lsp.protocol.methods import Token
from cato_lsp.session.completing import suggestions
from cato_lsp.session.questions import Question, Suggestion

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer
    from cato_lsp.session.session import Session

LONGEST_LABEL = 60


def start(
    server: CatoServer, message_id: Token, params: types.CompletionParams
) -> asyncio.Future[Any]:
    """Answers a list of items, or null."""
    uri = params.text_document.uri
    question = ask(server.session, uri, params.position, Action.INVOKED_COMPLETION, in_menu=True)
    mode = insert_mode(server.client_capabilities)
    work = _answer(server.session, question, mode)
    return server.session.requests.start(message_id, work, topic=uri)


async def _answer(
    session: Session, question: Question | None, mode: types.InsertTextMode | None
) -> types.CompletionList | None:
    found = await suggestions(session, question) if question is not None else []
    if question is None or not found:
        return None
    here, word = cursor(session, question), _word_before(question)
    items = [_item(suggestion, here, word, mode) for suggestion in found]
    return types.CompletionList(is_incomplete=True, items=items)


def _item(
    suggestion: Suggestion, here: types.Position, word: str, mode: types.InsertTextMode | None
) -> types.CompletionItem:
    label = suggestion.text.strip().split("\n", 1)[0][:LONGEST_LABEL]
    return types.CompletionItem(
        label=label,
        kind=types.CompletionItemKind.Text,
        detail="CATO",
        documentation=suggestion.text,
        # Menus filter by the word before the cursor, which the suggestion continues.
        filter_text=word + suggestion.text.strip(),
        text_edit=types.TextEdit(types.Range(here, here), suggestion.text),
        insert_text_mode=mode,
        command=accepted_command(suggestion),
    )


def _word_before(question: Question) -> str:
    text, end = question.snapshot.text, question.offset
    start = end
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start:end]
