"""What the person did with a suggestion, and which document they turned to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cato_lsp.session.documents import position_of
from cato_lsp.text import length_of

if TYPE_CHECKING:
    from lsprotocol import types

    from cato_lsp.protocol.methods import DidFocusParams, DidPartiallyAcceptParams, DidShowParams
    from cato_lsp.server import CatoServer
    from cato_lsp.session.session import Session

log = logging.getLogger(__name__)


def accepted(session: Session, request_id: str) -> None:
    """A suggestion was accepted: the next one is looked for behind it."""
    from cato_lsp.session.completing import look_ahead

    log.info("accepted: %s", request_id)
    shown = session.workbench.feedback.accepted(request_id)
    snapshot = session.documents.snapshot(shown.uri) if shown is not None else None
    if shown is None or snapshot is None:
        return
    length = length_of(shown.suggestion.text, snapshot.text, shown.offset)
    if length is not None:
        session.background(look_ahead(session, snapshot, shown.offset + length))


def did_show(server: CatoServer, params: DidShowParams) -> None:
    """`textDocument/didShowCompletion`."""
    request_id = _request_of(params.item)
    if request_id is not None:
        server.session.workbench.feedback.did_show(request_id)


def did_partially_accept(server: CatoServer, params: DidPartiallyAcceptParams) -> None:
    """`textDocument/didPartiallyAcceptCompletion`; the length is in UTF-16 units, of the item."""
    request_id = _request_of(params.item)
    if request_id is not None and isinstance(params.item.insert_text, str):
        units = params.item.insert_text.encode("utf-16-le")[: 2 * params.accepted_length]
        length = len(units.decode("utf-16-le", errors="ignore"))
        server.session.workbench.feedback.partially_accepted(request_id, length)


def did_focus(server: CatoServer, params: DidFocusParams) -> None:
    """`textDocument/didFocus`: the person turned to a document, or to another place in it."""
    position = position_of(params.position) if params.position is not None else None
    server.session.focus(params.text_document.uri, position)


def _request_of(item: types.InlineCompletionItem) -> str | None:
    arguments = item.command.arguments if item.command is not None else None
    request_id = next(iter(arguments or ()), None)
    return request_id if isinstance(request_id, str) else None
