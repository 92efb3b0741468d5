"""Chooses which pieces of other files go along with a prompt: the most useful first, in budget.

The volatile ones go last, because an engine reuses what it computed as far as prompts begin alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cato_lsp.decisions.imports import declarations
from cato_lsp.text.snapshot import Snapshot, with_lf

BUDGET = 2_400
"""Characters of all pieces together; a quarter of the window at most, as at the gateway."""
MOST_OF_ONE = 900
MOST_SIMILAR = 2
EDIT_LINES = 4
SIMILAR_LINES = 20
"""Lines of a similar piece, and of the text that it is compared to."""
MOST_SEARCHED_LINES = 3_000
"""Lines of one file that are looked through."""
MIN_SIMILARITY = 0.12

_WORD = re.compile(r"[A-Za-z_]\w{2,}")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of another file; the path is relative, for the model to read."""

    path: str
    text: str

    def body(self) -> dict[str, str]:
        """Return the piece as `cato.context` spells it."""
        return {"path": self.path, "text": with_lf(self.text)}


@dataclass(frozen=True, slots=True)
class OtherFile:
    """Another file that may be relevant, parsed."""

    path: str
    snapshot: Snapshot
    edited_at: int | None = None
    """Where it was edited last, in characters; None where it was not."""


def declared(files: Iterable[tuple[OtherFile, frozenset[str]]]) -> list[Piece]:
    """Return the declarations of imported names."""
    pieces = ((file.path, declarations(file.snapshot, names)) for file, names in files)
    return [Piece(path, text[:MOST_OF_ONE]) for path, text in pieces if text]


def similar(files: Sequence[OtherFile], wanted: frozenset[str]) -> list[Piece]:
    """Return the pieces most like what is being edited, the most alike first."""
    found = [(most_similar(file.snapshot.text, wanted), file.path) for file in files]
    alike = sorted(
        ((piece, path) for piece, path in found if piece is not None),
        key=lambda scored: -scored[0].alike,
    )
    return [Piece(path, piece.text[:MOST_OF_ONE]) for piece, path in alike[:MOST_SIMILAR]]


def edited(files: Iterable[OtherFile]) -> list[Piece]:
    """Return the lines around the last edit of each file."""
    return [
        Piece(file.path, _lines_around(file.snapshot, file.edited_at)[:MOST_OF_ONE])
        for file in files
        if file.edited_at is not None
    ]


def _lines_around(snapshot: Snapshot, offset: int) -> str:
    lines = snapshot.lines
    line = lines.line_at(min(offset, len(snapshot.text)))
    first, last = max(line - EDIT_LINES, 0), min(line + EDIT_LINES, lines.count - 1)
    return snapshot.text[lines.start(first) : lines.end(last, snapshot.text)]


def within_budget(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Return the first pieces that fit, none of them twice."""
    kept: dict[Piece, None] = {}
    room = BUDGET
    for piece in pieces:
        size = len(piece.path) + len(piece.text)
        if piece not in kept and size <= room:
            kept[piece] = None
            room -= size
    return tuple(kept)


@dataclass(frozen=True, slots=True)
class Similar:
    """A piece of a file and its similarity: common words over all words of both (Jaccard)."""

    alike: float
    first_line: int
    text: str


def words(text: str) -> frozenset[str]:
    """Return the words of three letters and more."""
    return frozenset(_WORD.findall(text))


def words_around(snapshot: Snapshot, offset: int) -> frozenset[str]:
    """Return the words of the lines before the cursor."""
    last = snapshot.lines.line_at(min(offset, len(snapshot.text)))
    start = snapshot.lines.start(max(last - SIMILAR_LINES, 0))
    return words(snapshot.text[start:offset])


def most_similar(text: str, wanted: frozenset[str]) -> Similar | None:
    """Return the piece of `text` that is most like `wanted`; None if nothing is like it."""
    lines = text.splitlines()[:MOST_SEARCHED_LINES]
    per_line = [words(line) for line in lines]
    starts = range(0, max(len(lines) - SIMILAR_LINES // 2, 1), SIMILAR_LINES // 2)
    scored = ((_alike(per_line[at : at + SIMILAR_LINES], wanted), -at) for at in starts)
    alike, start = max(scored, default=(0.0, 0))
    if alike < MIN_SIMILARITY:
        return None
    return Similar(alike, -start, "\n".join(lines[-start : -start + SIMILAR_LINES]))


def _alike(lines: Sequence[frozenset[str]], wanted: frozenset[str]) -> float:
    held = frozenset[str]().union(*lines)
    either = len(held | wanted)
    return len(held & wanted) / either if either else 0.0
