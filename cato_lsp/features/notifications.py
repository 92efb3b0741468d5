"""Notifications of the client about the person's actions. No handler waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from cato_lsp.session.documents import position_of

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.protocol.methods import DidFocusParams, DidPartiallyAcceptParams, DidShowParams


def did_open(connection: ClientConnection, params: types.DidOpenTextDocumentParams) -> None:
    """Open the document of `textDocument/didOpen`, and warm its head."""
    connection.session.open_document(params.text_document)
    connection.completions.focus(params.text_document.uri, None)


def did_change(connection: ClientConnection, params: types.DidChangeTextDocumentParams) -> None:
    """Make the changes of `textDocument/didChange`."""
    connection.session.change_document(params)


def did_save(connection: ClientConnection, params: types.DidSaveTextDocumentParams) -> None:
    """Take the text of `textDocument/didSave`: it makes up for changes that could not be read."""
    if params.text is not None:
        connection.session.documents.save(params.text_document.uri, params.text)


def did_close(connection: ClientConnection, params: types.DidCloseTextDocumentParams) -> None:
    """Close the document of `textDocument/didClose`, and end the requests about it."""
    connection.session.close_document(params.text_document.uri)


def did_focus(connection: ClientConnection, params: DidFocusParams) -> None:
    """Follow `textDocument/didFocus`: the person turned to a document, or to a place in it."""
    position = position_of(params.position) if params.position is not None else None
    connection.completions.focus(params.text_document.uri, position)


def did_show(connection: ClientConnection, params: DidShowParams) -> None:
    """Record `textDocument/didShowCompletion`."""
    request_id = _request_of(params.item)
    if request_id is not None:
        connection.completions.did_show(request_id)


def did_partially_accept(connection: ClientConnection, params: DidPartiallyAcceptParams) -> None:
    """Record `textDocument/didPartiallyAcceptCompletion`.

    The length is in UTF-16 units, of the item.
    """
    request_id = _request_of(params.item)
    if request_id is not None and isinstance(params.item.insert_text, str):
        units = params.item.insert_text.encode("utf-16-le")[: 2 * params.accepted_length]
        length = len(units.decode("utf-16-le", errors="ignore"))
        connection.completions.partially_accepted(request_id, length)


def cancel_progress(
    connection: ClientConnection, params: types.WorkDoneProgressCancelParams
) -> None:
    """Cancel the request of `window/workDoneProgress/cancel`, whose button the person pressed."""
    connection.session.requests.cancel_progress(params.token)


def _request_of(item: types.InlineCompletionItem) -> str | None:
    arguments = item.command.arguments if item.command is not None else None
    request_id = next(iter(arguments or ()), None)
    return request_id if isinstance(request_id, str) else None
