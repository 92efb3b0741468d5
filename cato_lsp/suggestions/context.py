"""Collects cross-file context in the background, and caches it for a while.

The pieces stand in front of the prompt: were they to change with each key, nothing of the prompt
would be cached. They are collected when a document is come to, and again when its window jumps or
it was left for long.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cato_lsp.decisions.imports import candidates, imports_of
from cato_lsp.decisions.pieces import (
    OtherFile,
    Piece,
    declared,
    edited,
    similar,
    within_budget,
    words_around,
)
from cato_lsp.syntax.parsing import open_document
from cato_lsp.text import Snapshot
from cato_lsp.text.document import path_of

if TYPE_CHECKING:
    from cato_lsp.session.session import Session

PATIENCE_S = 0.05
KEPT_S = 60.0
"""Context is collected again for a document that was left for this time."""
LARGEST_FILE = 64 * 1024
"""In bytes. Parsing it takes about 5 ms, during which no request is answered."""
MOST_FILES = 6
_NEIGHBOURS = 4
"""Open documents that are looked through for similar pieces."""

Allowed = Callable[[Path], bool]
"""Whether a file may be sent to a model."""
Others = Callable[[], Iterable[OtherFile]]


@dataclass(slots=True)
class _Collected:
    window_start: int
    used_s: float
    work: asyncio.Future[tuple[Piece, ...]]


class RecentEdits:
    """The documents that were edited last, and the places."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._edited: dict[str, int] = {}
        """Document to where it was edited last; the latest at the end."""

    def edited(self, uri: str, offset: int) -> None:
        """Record that a document was edited at `offset`."""
        self._edited.pop(uri, None)
        self._edited[uri] = offset

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._edited.pop(uri, None)

    def files(self) -> Iterator[OtherFile]:
        """Yield the open documents that may be read, the one edited last first."""
        documents, latest = self._session.documents, list(reversed(self._edited))
        for uri in [*latest, *(uri for uri in documents.uris() if uri not in latest)]:
            snapshot = documents.snapshot(uri)
            if snapshot is not None and self._session.permissions.allows(uri):
                name = uri.rpartition("/")[2].partition("#")[0]
                yield OtherFile(name, snapshot, self._edited.get(uri))


class ContextCollector:
    """The pieces for each document that is being edited."""

    def __init__(self, allowed: Allowed, others: Others) -> None:
        """`others`: the open documents that may be read, the one used last first."""
        self._allowed = allowed
        self._others = others
        self._by_uri: dict[str, _Collected] = {}

    def look(self, snapshot: Snapshot, offset: int, window_start: int) -> None:
        """Begin to collect for a cursor at `offset`, unless that was done for this window."""
        now_s = asyncio.get_running_loop().time()
        known = self._by_uri.get(snapshot.uri)
        if known and known.window_start == window_start and now_s - known.used_s < KEPT_S:
            known.used_s = now_s
            return
        neighbours = [other for other in self._others() if other.snapshot.uri != snapshot.uri]
        work = asyncio.to_thread(
            _collect, snapshot, offset, neighbours[:_NEIGHBOURS], self._allowed
        )
        self._by_uri[snapshot.uri] = _Collected(window_start, now_s, asyncio.ensure_future(work))

    async def pieces(self, uri: str) -> tuple[Piece, ...]:
        """Return what was found; nothing if it takes too long.

        What comes late is there next time.
        """
        known = self._by_uri.get(uri)
        if known is None:
            return ()
        done, _ = await asyncio.wait([known.work], timeout=PATIENCE_S)
        return known.work.result() if done and known.work.exception() is None else ()

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._by_uri.pop(uri, None)

    def forget_all(self) -> None:
        """Forget everything, because other files may be read now."""
        self._by_uri.clear()


def _collect(
    snapshot: Snapshot, offset: int, neighbours: list[OtherFile], allowed: Allowed
) -> tuple[Piece, ...]:
    imported = _imported(snapshot, neighbours, allowed)
    alike = similar(neighbours, words_around(snapshot, offset))
    return within_budget([*declared(imported), *alike, *edited(neighbours)])


def _imported(
    snapshot: Snapshot, neighbours: list[OtherFile], allowed: Allowed
) -> Iterator[tuple[OtherFile, frozenset[str]]]:
    document = path_of(snapshot.uri)
    if document is None:
        return
    open_files = ((path_of(other.snapshot.uri), other) for other in neighbours)
    is_open = {_resolved(path): other for path, other in open_files if path is not None}
    found = 0
    for imported in imports_of(snapshot):
        paths = (_resolved(path) for path in candidates(imported, snapshot.language_id, document))
        files = (is_open.get(path) or _read(path, snapshot.language_id, allowed) for path in paths)
        file = next((file for file in files if file is not None), None)
        if file is not None:
            yield file, imported.names
            found += 1
        if found >= MOST_FILES:
            return


def _resolved(path: PurePath) -> Path:
    """Return where the path leads to: links and `..` are no way around what may be read."""
    return Path(os.path.realpath(path))


def _read(path: Path, language_id: str, allowed: Allowed) -> OtherFile | None:
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_FILE or not allowed(path):
            return None
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return OtherFile(path.name, open_document(path.as_uri(), language_id, 0, text).snapshot())
