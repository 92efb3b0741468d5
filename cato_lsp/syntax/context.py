"""What the syntax around a cursor says, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cato_lsp.text.snapshot import Snapshot

NEARBY = 2_000
"""Characters of text on either side of the cursor that a context carries."""


class Rest(StrEnum):
    """What stands on the cursor's line after the cursor."""

    NOTHING = "nothing"
    CLOSERS = "closers"
    """Only closing brackets and quotes, separators and blanks."""
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Scope:
    """A function, method or class around the cursor; offsets in characters."""

    name: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SyntaxContext:
    """The surroundings of one offset of one snapshot."""

    language_id: str
    before: str
    """The last NEARBY characters before the cursor."""
    after: str
    """The first NEARBY characters after the cursor."""
    parsed: bool
    """Whether a tree was there; without one, text rules filled in what they could."""
    in_string: bool
    in_comment: bool
    wish: str | None
    """The comment at or just above the cursor, where it asks for code."""
    in_expression: bool
    in_arguments: bool
    empty_body: bool
    """After a signature whose body is still empty."""
    block_end: bool
    """Nothing but closers follows in the enclosing block."""
    rest: Rest
    indentation: str
    """Leading blanks of the cursor's line, before the cursor."""
    scopes: tuple[Scope, ...]
    """Enclosing functions and classes, innermost first."""
    erroneous: bool
    """Whether the tree is erroneous here."""

    @property
    def line_before(self) -> str:
        """The cursor's line up to the cursor."""
        return self.before[max(self.before.rfind("\n"), self.before.rfind("\r")) + 1 :]

    @property
    def line_after(self) -> str:
        """The cursor's line from the cursor, without its line end."""
        lines = self.after.replace("\r", "\n").split("\n", 1)
        return lines[0]


_CLOSERS = frozenset(")]}>\"'`;,: \t")


def syntax_context(snapshot: Snapshot, offset: int) -> SyntaxContext:
    """The surroundings of `offset`, which is clamped to the text."""
    offset = min(max(offset, 0), len(snapshot.text))
    before = snapshot.text[max(offset - NEARBY, 0) : offset]
    after = snapshot.text[offset : offset + NEARBY]
    line = before[max(before.rfind("\n"), before.rfind("\r")) + 1 :]
    rest = after.replace("\r", "\n").split("\n", 1)[0]
    return SyntaxContext(
        language_id=snapshot.language_id,
        before=before,
        after=after,
        parsed=snapshot.tree is not None,
        in_string=False,
        in_comment=False,
        wish=None,
        in_expression=False,
        in_arguments=False,
        empty_body=False,
        block_end=False,
        rest=_rest(rest),
        indentation=line[: len(line) - len(line.lstrip())],
        scopes=(),
        erroneous=False,
    )


def _rest(line: str) -> Rest:
    if not line.strip():
        return Rest.NOTHING
    return Rest.CLOSERS if set(line) <= _CLOSERS else Rest.TEXT
