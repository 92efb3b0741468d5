"""Has a document's prompt computed before its first completion is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cato_lsp.backend.calls import warm_call
from cato_lsp.decisions.window import Window
from cato_lsp.session.asking import window_for

if TYPE_CHECKING:
    from cato_lsp.backend.client import BackendClient
    from cato_lsp.backend.models import Model
    from cato_lsp.session.session import Session
    from cato_lsp.text import Snapshot

NOT_FOUND = 404


class Warmer:
    """Warms documents, until a backend says that it does not know how."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._warm: dict[str, Window] = {}
        """Document to what was warmed of it last."""
        self._cannot: BackendClient | None = None

    async def warm(self, snapshot: Snapshot, offset: int | None) -> None:
        """Asks for it, unless just that is warm already. An `offset` of None: the cursor is not
        known, so that only the head of the document can be."""
        connection = self._session.link.connection
        if connection is None or not connection.model.cancels:
            return
        seen = _window(connection.model, snapshot, offset)
        if connection.client is self._cannot or not seen.prefix or self._is_warm(snapshot, seen):
            return
        self._warm[snapshot.uri] = seen
        bench = self._session.workbench
        bench.look_around(snapshot, offset or 0)
        pieces = await bench.gatherer.pieces(snapshot.uri)
        call = warm_call(seen, pieces, connection.model, self._session.sender(snapshot.uri))
        status = await connection.client.post(call.path, call.body, call.headers)
        self._session.link.answered(connection.client, status)
        if status == NOT_FOUND:
            self._cannot = connection.client
        bench.usage.warmed += status == 200

    def forget(self, uri: str) -> None:
        """The document is closed."""
        self._warm.pop(uri, None)

    def _is_warm(self, snapshot: Snapshot, seen: Window) -> bool:
        known = self._warm.get(snapshot.uri)
        return known is not None and known.prefix.startswith(seen.prefix)


def _window(model: Model, snapshot: Snapshot, offset: int | None) -> Window:
    if offset is not None:
        return window_for(model, snapshot, offset)
    # Wherever the cursor will be, the text before it begins the prompt; not so behind a suffix.
    end = 0 if model.suffix_first else len(snapshot.text)
    whole = window_for(model, snapshot, end)
    return whole if len(whole.prefix) == end else Window("", "")
