"""Pieces of other files that use the same words as the lines around the cursor."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cato_lsp.text.snapshot import Snapshot

LINES = 20
"""Of the piece, and of the text that it is compared to."""
MOST_LINES = 3_000
"""Lines of one file that are looked through."""
LEAST_ALIKE = 0.12

_WORD = re.compile(r"[A-Za-z_]\w{2,}")


@dataclass(frozen=True, slots=True)
class Similar:
    """A piece of a file, and how alike it is: words in common over words in either (Jaccard)."""

    alike: float
    first_line: int
    text: str


def words(text: str) -> frozenset[str]:
    """The words of three letters and more."""
    return frozenset(_WORD.findall(text))


def words_around(snapshot: Snapshot, offset: int) -> frozenset[str]:
    """The words of the lines before the cursor."""
    last = snapshot.lines.line_at(min(offset, len(snapshot.text)))
    start = snapshot.lines.start(max(last - LINES, 0))
    return words(snapshot.text[start:offset])


def most_similar(text: str, wanted: frozenset[str]) -> Similar | None:
    """The piece of `text` that is most like `wanted`; None where nothing is like it."""
    lines = text.splitlines()[:MOST_LINES]
    per_line = [words(line) for line in lines]
    starts = range(0, max(len(lines) - LINES // 2, 1), LINES // 2)
    scored = ((_alike(per_line[at : at + LINES], wanted), -at) for at in starts)
    alike, start = max(scored, default=(0.0, 0))
    if alike < LEAST_ALIKE:
        return None
    return Similar(alike, -start, "\n".join(lines[-start : -start + LINES]))


def _alike(lines: Sequence[frozenset[str]], wanted: frozenset[str]) -> float:
    held = frozenset[str]().union(*lines)
    either = len(held | wanted)
    return len(held & wanted) / either if either else 0.0
