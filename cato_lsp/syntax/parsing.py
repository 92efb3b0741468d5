"""Documents with a syntax tree that follows their edits."""

from __future__ import annotations

from tree_sitter import Parser, Point, Tree

from cato_lsp.syntax.languages import language
from cato_lsp.text.document import Document, Parse, Parsed
from cato_lsp.text.lines import LineIndex

LARGEST_PARSED = 2 * 1024 * 1024
"""In characters. A first parse runs at about 5 MB/s, in the server's only thread."""


def open_document(uri: str, language_id: str, version: int, text: str) -> Document:
    """A document of any language; one without a grammar has snapshots without a tree."""
    return Document(uri, language_id, version, text, _parse_for(language_id))


def _parse_for(language_id: str) -> Parse:
    grammar = language(language_id)
    if grammar is not None:
        return _Incremental(Parser(grammar))
    unparsed = Parsed(None, f"no grammar for language {language_id!r}")
    return lambda text, lines, edited: unparsed


class _Incremental:
    def __init__(self, parser: Parser) -> None:
        self._parser = parser

    def __call__(self, text: str, lines: LineIndex, edited: Tree | None) -> Parsed:
        reason = _unparsable(text)
        if reason is not None:
            return Parsed(None, reason)

        def read(byte: int, _point: Point) -> bytes:
            return lines.chunk_at(byte, text)

        parse = self._parser.parse
        return Parsed(parse(read) if edited is None else parse(read, edited))


def _unparsable(text: str) -> str | None:
    if len(text) > LARGEST_PARSED:
        return f"{len(text)} characters, more than the {LARGEST_PARSED} that are parsed"
    if "\0" in text:
        return "binary: it holds a NUL character"
    return None
