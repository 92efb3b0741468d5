"""One open document: the file that its URI stands for, the client's changes, and snapshots."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

from tree_sitter import Tree

from cato_lsp.text.lines import LineEntry, LineIndex
from cato_lsp.text.snapshot import Encoding, Position, Snapshot, offset_in

OF_FILES = ("file", "vscode-notebook-cell")
"""A cell is named by its notebook's path, and a fragment of its own."""


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` up to, not including, `end`."""

    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class Change:
    """One content change of `textDocument/didChange`; without a range it replaces everything."""

    text: str
    range: Range | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that was made, in the terms of tree-sitter."""

    start: LineEntry
    old_end: LineEntry
    new_end: LineEntry


@dataclass(frozen=True, slots=True)
class Parsed:
    """Result of a parser: a tree, or the reason why there is none."""

    tree: Tree | None
    no_tree_reason: str | None = None
    settled: bool = True
    """False where the parse was given up, and `tree` is the one that was to be reused."""


class Parse(Protocol):
    """A parser of one document's language, or the lack of one."""

    def __call__(
        self, text: str, lines: LineIndex, edited: Tree | None, *, patient: bool
    ) -> Parsed:
        """Parse `text`. `edited` is the tree of the text before, with the edits told to it.

        Unless `patient`, the parse is given up when it takes longer than a key may take.
        """
        ...


class Document:
    """An open document.

    The text holds no lone surrogates: they are replaced by U+FFFD, which takes as many units, so
    that everything downstream can be encoded.
    """

    def __init__(self, uri: str, language_id: str, version: int, text: str, parse: Parse) -> None:
        text = _encodable(text)
        lines = LineIndex.of(text)
        self._parse = parse
        parsed = parse(text, lines, None, patient=True)
        self._now = Snapshot(
            uri,
            version,
            language_id,
            text,
            lines,
            parsed.tree,
            parsed.no_tree_reason,
            parsed.settled,
        )

    def snapshot(self) -> Snapshot:
        """Return the document as it is now; later changes do not reach it. Costs nothing."""
        return self._now

    def apply(self, changes: Sequence[Change], version: int, encoding: Encoding) -> None:
        """Make the changes of one notification, in order. Never raises: ranges are clamped."""
        text, lines, edited = self._now.text, self._now.lines, self._now.tree
        # The snapshots handed out share the tree, and `edit` changes it in place.
        edited = edited.copy() if edited is not None else None
        for change in changes:
            text, lines, edit = _changed(text, lines, change, encoding)
            edited = _edited(edited, edit)
        self._take(text, lines, version, self._parse(text, lines, edited, patient=False))

    def settle(self) -> None:
        """Parse to the end if a key's parse was given up.

        Call it in a pause of typing, or before work on a whole unit. It takes up to 0.2 s, and may
        be given up as well.
        """
        now = self._now
        if not now.settled:
            parsed = self._parse(now.text, now.lines, now.tree, patient=True)
            self._take(now.text, now.lines, now.version, parsed)

    def _take(self, text: str, lines: LineIndex, version: int, parsed: Parsed) -> None:
        self._now = replace(
            self._now,
            version=version,
            text=text,
            lines=lines,
            tree=parsed.tree,
            no_tree_reason=parsed.no_tree_reason,
            settled=parsed.settled,
        )


def _changed(
    text: str, lines: LineIndex, change: Change, encoding: Encoding
) -> tuple[str, LineIndex, Edit | None]:
    new = _encodable(change.text)
    if change.range is None:
        return new, LineIndex.of(new), None
    ends = (change.range.start, change.range.end)
    start, end = sorted(offset_in(text, lines, place, encoding) for place in ends)
    start_place, old_end = lines.place(start, text), lines.place(end, text)
    text = text[:start] + new + text[end:]
    lines = lines.replaced(start, end, text, len(new) - (end - start))
    return text, lines, Edit(start_place, old_end, lines.place(start + len(new), text))


def _edited(tree: Tree | None, edit: Edit | None) -> Tree | None:
    if tree is None or edit is None:
        return None
    tree.edit(
        edit.start.byte,
        edit.old_end.byte,
        edit.new_end.byte,
        (edit.start.row, edit.start.column),
        (edit.old_end.row, edit.old_end.column),
        (edit.new_end.row, edit.new_end.column),
    )
    return tree


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def path_of(uri: str) -> Path | None:
    """Return the file that a document is of or in; None if there is none."""
    parts = urlsplit(uri)
    if parts.scheme not in OF_FILES:
        return None
    path = unquote(parts.path)
    # A drive: file:///c%3A/...
    return Path(path[1:] if path[2:3] == ":" else path)


_NESTED = re.compile(r"::|!/|[?#&\"']|\w=")
"""What parts a file's name from the rest: within archives, and in queries."""


def named_by(uri: str) -> Iterator[Path]:
    """Yield every path that the URI of a document of any scheme may name.

    That is what the document is called, whatever keeps it: editors name the versions of git, remote
    files and unsaved ones in their own ways.
    """
    scheme, _, rest = unquote(unquote(uri)).replace("\\", "/").partition(":")
    for part in _NESTED.split(rest or scheme):
        name = part.rstrip("/ },]").removesuffix(".git")
        if name:
            # Behind a host: `scp://host/folder`, `vscode-vfs://github/owner/repository`.
            yield Path("/", re.sub(r"^//[^/]*", "", name).lstrip("/") or name.strip("/"))


def root_of(uri: str) -> Path | None:
    """Return the folder of a workspace, of whatever scheme."""
    return path_of(uri) or next(named_by(uri), None)


def file_name(uri: str) -> str:
    """Return the last part of the document's path."""
    return PurePosixPath(unquote(urlsplit(uri).path)).name or "file"
