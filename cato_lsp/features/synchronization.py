"""`textDocument/didOpen`, `didChange`, `didClose`: nothing here waits for anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer


def did_open(server: CatoServer, params: types.DidOpenTextDocumentParams) -> None:
    """A document was opened."""
    server.session.open_document(params.text_document)


def did_change(server: CatoServer, params: types.DidChangeTextDocumentParams) -> None:
    """A document was changed."""
    server.session.change_document(params)


def did_save(server: CatoServer, params: types.DidSaveTextDocumentParams) -> None:
    """A document was saved: its text makes up for changes that could not be read."""
    if params.text is not None:
        server.session.documents.save(params.text_document.uri, params.text)


def did_close(server: CatoServer, params: types.DidCloseTextDocumentParams) -> None:
    """A document was closed: nobody waits for answers about it any more."""
    server.session.close_document(params.text_document.uri)
