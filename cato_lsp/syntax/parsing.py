"""Documents with a syntax tree that follows their edits."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

from tree_sitter import Language, Parser, Tree

from cato_lsp.syntax.languages import canonical, language
from cato_lsp.text.document import Document, Parse, Parsed
from cato_lsp.text.lines import LineIndex
from cato_lsp.text.snapshot import Snapshot

LARGEST_PARSED = 2 * 1024 * 1024
"""In characters. A first parse runs at about 5 MB/s, in the server's only thread."""

PATIENCE_US = 1_200
"""Microseconds of the parser that one key may cost. Most keys take few; an open bracket in a file
of 20,000 lines takes 0.1 s."""

_LONE_CR = re.compile(rb"\r(?!\n)")

REST = 10
"""Keys without another attempt after one that was given up; twice as many after each further one,
for where one takes too long, so do the next ones. A pause parses to the end anyway."""
LONGEST_REST = 160


def open_document(uri: str, language_id: str, version: int, text: str) -> Document:
    """A document of any language; one without a grammar has snapshots without a tree."""
    language_id = canonical(language_id)
    return Document(uri, language_id, version, text, _parse_for(language_id))


def settled(snapshot: Snapshot) -> Snapshot:
    """The snapshot with the tree of its very text. Takes up to 0.1 s where it has an older one."""
    grammar = language(snapshot.language_id)
    if snapshot.settled or grammar is None:
        return snapshot
    parse = _Incremental(grammar)
    parsed = parse(snapshot.text, snapshot.lines, snapshot.tree, patient=True)
    return replace(snapshot, tree=parsed.tree, settled=True)


def _parse_for(language_id: str) -> Parse:
    grammar = language(language_id)
    if grammar is not None:
        return _Incremental(grammar)
    unparsed = Parsed(None, f"no grammar for language {language_id!r}")

    def parse(text: str, lines: LineIndex, edited: Tree | None, *, patient: bool) -> Parsed:
        return unparsed

    return parse


class _Incremental:
    def __init__(self, grammar: Language) -> None:
        self._patient = Parser(grammar)
        self._hasty = _hasty_parser(grammar)
        self._resting, self._rest = 0, REST

    def __call__(
        self, text: str, lines: LineIndex, edited: Tree | None, *, patient: bool
    ) -> Parsed:
        reason = _unparsable(text)
        if reason is not None:
            return Parsed(None, reason)
        if edited is None:
            return Parsed(self._patient.parse(_source(text)))
        if patient:
            return Parsed(self._patient.parse(_source(text), edited))
        return self._hastily(text, edited)

    def _hastily(self, text: str, edited: Tree) -> Parsed:
        if self._resting > 0:
            self._resting -= 1
            return Parsed(edited, settled=False)
        try:
            parsed = Parsed(self._hasty.parse(_source(text), edited))
        except ValueError:
            # How tree-sitter says that its time was up; it would resume there next time.
            self._hasty.reset()
            self._resting, self._rest = self._rest, min(2 * self._rest, LONGEST_REST)
            return Parsed(edited, settled=False)
        self._rest = REST
        return parsed


def _hasty_parser(grammar: Language) -> Parser:
    with warnings.catch_warnings():
        # Deprecated in favour of a callback, which is heard only where the text is read by another
        # callback; and tree-sitter's binding never frees what that one returns: 10 kB a key.
        warnings.simplefilter("ignore", DeprecationWarning)
        return Parser(  # pyright: ignore[reportDeprecated]
            grammar, timeout_micros=PATIENCE_US
        )


def _source(text: str) -> bytes:
    """What tree-sitter reads: UTF-8, with LF for a lone CR, so that its rows are our lines."""
    encoded = text.encode()
    return _LONE_CR.sub(b"\n", encoded) if b"\r" in encoded else encoded


def _unparsable(text: str) -> str | None:
    if len(text) > LARGEST_PARSED:
        return f"{len(text)} characters, more than the {LARGEST_PARSED} that are parsed"
    if "\0" in text:
        return "binary: it holds a NUL character"
    return None
