"""The open documents of one connection, and which of them may be sent to a model."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types

from cato_lsp.settings.settings import PrivacySettings
from cato_lsp.text import Change, Document, Encoding, Position, Range, Snapshot

if TYPE_CHECKING:
    from cato_lsp.session.privacy import Privacy

log = logging.getLogger(__name__)

JUDGED_AGAIN_S = 30.0
"""A .gitignore may have changed meanwhile."""


class Documents:
    """Follows didOpen, didChange and didClose; what does not fit is logged once."""

    def __init__(self) -> None:
        self.encoding = Encoding.UTF16
        """Encoding of the client's positions; UTF-16 unless another was agreed."""
        self._open: dict[str, Document] = {}
        self._complained: set[str] = set()
        self._lost: set[str] = set()
        """Open documents of which a change could not be made: their text is not known."""

    def __contains__(self, uri: object) -> bool:
        return uri in self._open

    def open(self, item: types.TextDocumentItem) -> None:
        """Open a document; it replaces one that is open already."""
        # Syntax is not needed to answer `initialize`, and its import takes a while.
        from cato_lsp.syntax.parsing import open_document

        self._open[item.uri] = open_document(item.uri, item.language_id, item.version, item.text)
        self._lost.discard(item.uri)

    def lose(self, uri: str) -> bool:
        """Treat the text as unknown until all of it comes, and return whether it was known."""
        was_known = uri in self._open and uri not in self._lost
        self._lost.add(uri)
        return was_known

    def save(self, uri: str, text: str) -> None:
        """Take over the text that was saved, if it is not known."""
        document = self._open.get(uri)
        if document is not None and uri in self._lost:
            document.apply([Change(text)], document.snapshot().version, self.encoding)
            self._lost.discard(uri)

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Make the changes of one notification."""
        uri, version = params.text_document.uri, params.text_document.version
        document = self._open.get(uri)
        if document is None:
            self._complain(uri, "a change for a document that is not open")
            return
        if version <= document.snapshot().version:
            self._complain(uri, "a change whose version does not go up")
        changes = _changes(params.content_changes)
        if uri in self._lost:
            # All of the text makes up for what was lost before it.
            whole = [index for index, change in enumerate(changes) if change.range is None]
            if not whole:
                return
            changes = changes[whole[-1] :]
        document.apply(changes, version, self.encoding)
        self._lost.discard(uri)

    def typed(self, params: types.DidChangeTextDocumentParams) -> tuple[str, tuple[int, ...]]:
        """Return the text after these changes, and where the cursor may be.

        It may be behind what was inserted, or in front of the closer that the editor added. No
        place is returned for several changes.
        """
        snapshot = self.snapshot(params.text_document.uri)
        if snapshot is None:
            return "", ()
        changes = _changes(params.content_changes)
        if len(changes) != 1 or changes[0].range is None:
            return snapshot.text, ()
        end = snapshot.offset(changes[0].range.start, self.encoding) + len(changes[0].text)
        return snapshot.text, (end, end - 1) if len(changes[0].text) > 1 else (end,)

    def settle(self, uri: str) -> None:
        """Make up for parses that took too long while the person typed."""
        document = self._open.get(uri)
        if document is not None:
            document.settle()

    def close(self, uri: str) -> None:
        """Forget a document."""
        if self._open.pop(uri, None) is None:
            self._complain(uri, "a document that is not open is closed")
        else:
            self._complained.discard(uri)
        self._lost.discard(uri)

    def uris(self) -> tuple[str, ...]:
        """Return the open documents, the one opened last first."""
        return tuple(reversed(self._open))

    def snapshot(self, uri: str) -> Snapshot | None:
        """Return the document as it is now; None if it is not open, or not known any more."""
        document = self._open.get(uri)
        return None if document is None or uri in self._lost else document.snapshot()

    def _complain(self, uri: str, what: str) -> None:
        if uri not in self._complained:
            self._complained.add(uri)
            log.warning("%s (%s)", what, uri)


class Permissions:
    """Decides which documents may be sent to a model. Decisions are cached for a while."""

    def __init__(self) -> None:
        self._settings = PrivacySettings()
        self._roots: tuple[Path, ...] = ()
        self._privacy: Privacy | None = None
        self._judged: dict[str, tuple[bool, float]] = {}

    def change(self, settings: PrivacySettings, roots: tuple[Path, ...]) -> None:
        """Judge by other settings, or folders of the workspace, from now on."""
        self._settings, self._roots, self._privacy = settings, roots, None
        self._judged.clear()

    def forget(self, uri: str) -> None:
        """Judge the document again."""
        self._judged.pop(uri, None)

    def allows_path(self, path: Path) -> bool:
        """Return whether the file may be sent to a model."""
        return self._rules().allows(path)

    def allows(self, uri: str) -> bool:
        """Return whether the document may be sent to a model."""
        now_s = asyncio.get_running_loop().time()
        allowed, judged_s = self._judged.get(uri, (False, -math.inf))
        if now_s - judged_s > JUDGED_AGAIN_S:
            allowed = self._rules().allows_document(uri)
            self._judged[uri] = allowed, now_s
        return allowed

    def _rules(self) -> Privacy:
        if self._privacy is None:
            # What reads patterns takes a while to import, and `initialize` need not wait for it.
            from cato_lsp.session.privacy import Privacy

            self._privacy = Privacy(self._settings, self._roots)
        return self._privacy


def position_of(position: types.Position) -> Position:
    """Return LSP's position in our terms."""
    return Position(position.line, position.character)


def _changes(events: Sequence[types.TextDocumentContentChangeEvent]) -> list[Change]:
    return [
        Change(event.text, Range(position_of(event.range.start), position_of(event.range.end)))
        if isinstance(event, types.TextDocumentContentChangePartial)
        else Change(event.text)
        for event in events
    ]
