"""Documents with a syntax tree that follows their edits."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import import_module
from types import MappingProxyType

from tree_sitter import Language, Parser, Tree

from cato_lsp.text.document import Document, Parse, Parsed
from cato_lsp.text.lines import LineIndex
from cato_lsp.text.snapshot import Snapshot

LARGEST_PARSED = 2 * 1024 * 1024
"""In characters. A first parse runs at about 5 MB/s, in the server's only thread."""

_LONE_CR = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of a parse, in microseconds; 0: no limit."""

    key_us: int = 1_200
    """Most keys take few; an open bracket in a file of 20,000 lines takes 0.1 s."""
    pause_us: int = 200_000
    """In a pause no key waits. An open bracket in the middle of a long file of short functions
    takes seconds, and the time grows with the square of the size."""
    opening_us: int = 2_000_000
    """For the first parse of a text there is no older tree."""


PATIENCE = Patience()
REST = 10
"""Keys, or pauses, without another attempt after one that was given up; twice as many after each
further one, for where one takes too long, so do the next ones."""
LONGEST_REST = 160
_GRAMMARS = MappingProxyType(
    {
        "python": ("tree_sitter_python", "language"),
        "javascript": ("tree_sitter_javascript", "language"),
        "javascriptreact": ("tree_sitter_javascript", "language"),
        "typescript": ("tree_sitter_typescript", "language_typescript"),
        "typescriptreact": ("tree_sitter_typescript", "language_tsx"),
        "java": ("tree_sitter_java", "language"),
        "go": ("tree_sitter_go", "language"),
        "rust": ("tree_sitter_rust", "language"),
        "c": ("tree_sitter_c", "language"),
        "cpp": ("tree_sitter_cpp", "language"),
        "csharp": ("tree_sitter_c_sharp", "language"),
        "ruby": ("tree_sitter_ruby", "language"),
        "php": ("tree_sitter_php", "language_php"),
    }
)
_OTHER_NAMES = MappingProxyType({"cs": "csharp", "c_sharp": "csharp"})
"""What editors say that name a file type where the protocol wants its own id (Neovim: `cs`)."""


def open_document(
    uri: str, language_id: str, version: int, text: str, *, patience: Patience = PATIENCE
) -> Document:
    """Open a document of any language; one without a grammar has snapshots without a tree."""
    language_id = canonical(language_id)
    return Document(uri, language_id, version, text, _parse_for(language_id, patience))


def settled(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with the tree of its very text, if that is known within 0.2 s."""
    grammar = language(snapshot.language_id)
    if snapshot.settled or grammar is None:
        return snapshot
    tree = _tree(_parser(grammar, PATIENCE.pause_us), snapshot.text, snapshot.tree)
    return snapshot if tree is None else replace(snapshot, tree=tree, settled=True)


def _parse_for(language_id: str, patience: Patience) -> Parse:
    grammar = language(language_id)
    if grammar is not None:
        return _Incremental(grammar, patience)
    unparsed = Parsed(None, f"no grammar for language {language_id!r}")

    def parse(text: str, lines: LineIndex, edited: Tree | None, *, patient: bool) -> Parsed:
        return unparsed

    return parse


class _Incremental:
    def __init__(self, grammar: Language, patience: Patience) -> None:
        self._first = _parser(grammar, patience.opening_us)
        self._at_pauses = BoundedParse(partial(_tree, _parser(grammar, patience.pause_us)))
        self._at_keys = BoundedParse(partial(_tree, _parser(grammar, patience.key_us)))

    def __call__(
        self, text: str, lines: LineIndex, edited: Tree | None, *, patient: bool
    ) -> Parsed:
        reason = _unparsable(text)
        if reason is not None:
            return Parsed(None, reason)
        if edited is None:
            tree = _tree(self._first, text, None)
            return Parsed(tree, None if tree is not None else "it takes too long to parse")
        tree = (self._at_pauses if patient else self._at_keys).parse(text, edited)
        return Parsed(edited, settled=False) if tree is None else Parsed(tree)


class BoundedParse:
    """Parses edited parts again, and continues later when the time limit is reached."""

    def __init__(self, attempt: Callable[[str, Tree], Tree | None]) -> None:
        """`attempt` returns None if its time was up."""
        self._attempt = attempt
        self._resting, self._rest = 0, REST

    def parse(self, text: str, edited: Tree) -> Tree | None:
        """Return the new tree; None while it rests, and if the time was up."""
        if self._resting > 0:
            self._resting -= 1
            return None
        tree = self._attempt(text, edited)
        if tree is None:
            self._resting, self._rest = self._rest, min(2 * self._rest, LONGEST_REST)
        else:
            self._rest = REST
        return tree


def _tree(parser: Parser, text: str, edited: Tree | None) -> Tree | None:
    """Parse, and return None if the parser's time was up."""
    try:
        source = _source(text)
        return parser.parse(source) if edited is None else parser.parse(source, edited)
    except ValueError:
        # How tree-sitter says so; it would resume there next time.
        parser.reset()
        return None


def _parser(grammar: Language, patience_us: int) -> Parser:
    with warnings.catch_warnings():
        # Deprecated in favour of a callback, which is heard only where the text is read by another
        # callback; and tree-sitter's binding never frees what that one returns: 10 kB a key.
        warnings.simplefilter("ignore", DeprecationWarning)
        return Parser(  # pyright: ignore[reportDeprecated]
            grammar, timeout_micros=patience_us
        )


def _source(text: str) -> bytes:
    """Return what tree-sitter reads: UTF-8 with LF for a lone CR, so that rows are our lines."""
    encoded = text.encode()
    return _LONE_CR.sub(b"\n", encoded) if b"\r" in encoded else encoded


def _unparsable(text: str) -> str | None:
    if len(text) > LARGEST_PARSED:
        return f"{len(text)} characters, more than the {LARGEST_PARSED} that are parsed"
    if "\0" in text:
        return "binary: it holds a NUL character"
    return None


def canonical(language_id: str) -> str:
    """Return the protocol's id of a language."""
    return _OTHER_NAMES.get(language_id, language_id)


@cache
def language(language_id: str) -> Language | None:
    """Return the grammar of an LSP language id; None if CATO has none."""
    found = _GRAMMARS.get(language_id)
    if found is None:
        return None
    module, function = found
    pointer: Callable[[], object] = getattr(import_module(module), function)
    return Language(pointer())
