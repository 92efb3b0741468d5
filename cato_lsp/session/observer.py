"""What a session tells the services that depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lsprotocol import types

from cato_lsp.settings.settings import Settings

if TYPE_CHECKING:
    pass


class SessionObserver(Protocol):
    """Is told of what happened to a session."""

    def settings_changed(self, former: Settings) -> None:
        """Take note that other settings hold from now on."""
        ...

    def folders_changed(self) -> None:
        """Take note that the workspace has other folders now."""
        ...

    def document_changed(self, params: types.DidChangeTextDocumentParams) -> None:
        """Take note that a document was changed."""
        ...

    def document_closed(self, uri: str) -> None:
        """Take note that a document was closed, or that its text is not known any more."""
        ...

    def suggestions_unwanted(self, uri: str) -> None:
        """Take note that nothing is wanted in this document any more."""
        ...

    def session_closed(self) -> None:
        """Take note that the session ends."""
        ...
