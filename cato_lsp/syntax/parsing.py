"""Documents with a syntax tree that follows their edits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

from tree_sitter import Parser, Point, Tree

from cato_lsp.syntax.languages import language
from cato_lsp.text.document import Document, Parse, Parsed
from cato_lsp.text.lines import LineIndex
from cato_lsp.text.snapshot import Snapshot

LARGEST_PARSED = 2 * 1024 * 1024
"""In characters. A first parse runs at about 5 MB/s, in the server's only thread."""

PATIENCE = 60
"""Steps of the parser, about 20 µs each, that one key may cost. Most keys take few; an open bracket
in a file of 20,000 lines takes thousands."""

REST = 10
"""Keys without another attempt after one that was given up."""


def open_document(uri: str, language_id: str, version: int, text: str) -> Document:
    """A document of any language; one without a grammar has snapshots without a tree."""
    return Document(uri, language_id, version, text, _parse_for(language_id))


def settled(snapshot: Snapshot) -> Snapshot:
    """The snapshot with the tree of its very text. Takes up to 0.1 s where it has an older one."""
    grammar = language(snapshot.language_id)
    if snapshot.settled or grammar is None:
        return snapshot
    parse = _Incremental(Parser(grammar))
    parsed = parse(snapshot.text, snapshot.lines, snapshot.tree, patient=True)
    return replace(snapshot, tree=parsed.tree, settled=True)


def _parse_for(language_id: str) -> Parse:
    grammar = language(language_id)
    if grammar is not None:
        return _Incremental(Parser(grammar))
    unparsed = Parsed(None, f"no grammar for language {language_id!r}")

    def parse(text: str, lines: LineIndex, edited: Tree | None, *, patient: bool) -> Parsed:
        return unparsed

    return parse


class _Incremental:
    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._resting = 0

    def __call__(
        self, text: str, lines: LineIndex, edited: Tree | None, *, patient: bool
    ) -> Parsed:
        reason = _unparsable(text)
        if reason is not None:
            return Parsed(None, reason)

        def read(byte: int, _point: Point) -> bytes:
            return lines.chunk_at(byte, text)

        if edited is None:
            return Parsed(self._parser.parse(read))
        if patient:
            self._resting = 0
            return Parsed(self._parser.parse(read, edited))
        return self._impatiently(read, edited)

    def _impatiently(self, read: Callable[[int, Point], bytes], edited: Tree) -> Parsed:
        if self._resting > 0:
            self._resting -= 1
            return Parsed(edited, settled=False)
        try:
            return Parsed(self._parser.parse(read, edited, progress_callback=_impatient()))
        except ValueError:
            # How tree-sitter says that it was told to stop; it would resume there next time.
            self._parser.reset()
            self._resting = REST
            return Parsed(edited, settled=False)


def _impatient() -> Callable[[int, bool], bool]:
    """Stops the parser after PATIENCE steps. Steps, not time: the same edits give the same tree."""
    steps = count()
    return lambda _byte, _has_error: next(steps) >= PATIENCE


def _unparsable(text: str) -> str | None:
    if len(text) > LARGEST_PARSED:
        return f"{len(text)} characters, more than the {LARGEST_PARSED} that are parsed"
    if "\0" in text:
        return "binary: it holds a NUL character"
    return None
