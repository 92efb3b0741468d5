"""The rules that say where a completion ends: at which line, and before which closing bracket.

A closing bracket counts only where it can be one: its kind must be the kind of the innermost open
bracket. All others stand in a literal, a pattern (`stop)` of a shell's `case`) or in prose that
the lexicon cannot tell from code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from cato_lsp.completion.fitting import duplicates
from cato_lsp.syntax.context import Rest, SyntaxContext
from cato_lsp.syntax.lexing import PARTNER, Bracket, Lexed
from cato_lsp.syntax.nearby import first_within, leading_closers, width_of

LONGEST_STATEMENT = 12
"""Lines of one statement that goes on because its brackets are open."""

_OPENS_BLOCK = re.compile(r"(?:\)|=>|\belse|\btry|\bdo|\bfinally|\bunsafe|\bloop)[^={(\[]*\{\s*\Z")
_CONTINUES = re.compile(r"\\\s*\Z")
_CLOSER = re.compile(r"\s*[)\]}]")
_END_WORD = re.compile(r"\s*end\b")
_DEFINITION = re.compile(
    r"\s*(?:(?:export|default|public|private|protected|internal|static|abstract|final|async|pub"
    r"|unsafe|override|virtual|declare)(?:\([\w:]+\))?\s+)*"
    r"(?:def|class|function|func|fn|interface|struct|enum|trait|impl|module|namespace)\b"
)
_PREAMBLE = re.compile(r"\s*(?:@|#\[|//|/\*|\*|#|$)")


class End(Enum):
    """What a rule says about one line."""

    NOT_YET = auto()
    BEFORE = auto()
    """The completion ended before this line."""
    AFTER = auto()


@dataclass(frozen=True, slots=True)
class Line:
    """A line that streams in, and how the text stands around it."""

    text: str
    whole: bool
    """Whether its line end has come."""
    kept: Sequence[str]
    """The lines before it."""
    inside: bool
    """Whether it begins inside of a string, a comment or brackets of the completion itself."""
    leaves_open: bool
    """Whether the next line will."""
    may_close: bool
    """Whether a closer of the enclosing block is still missing."""


def statement_end(line: Line, context: SyntaxContext) -> End:
    """Say where one statement ends: a line, or further ones while brackets are open."""
    if not line.whole:
        return End.NOT_YET
    if _repeats_next(line, context):
        return End.BEFORE
    if len(line.kept) + 1 >= LONGEST_STATEMENT or context.in_string or context.in_comment:
        return End.AFTER
    goes_on = line.leaves_open and not _OPENS_BLOCK.search(line.text)
    return End.NOT_YET if goes_on or _CONTINUES.search(line.text) else End.AFTER


def block_end(line: Line, context: SyntaxContext) -> End:
    """Say where the rest of the enclosing block ends."""
    if line.inside:
        return End.NOT_YET
    if not line.text.strip():
        second_in_a_row = len(line.kept) > 1 and _blank(line.kept[-1])
        return End.BEFORE if line.whole and second_in_a_row else End.NOT_YET
    if line.kept and width_of(line.text) < context.floor:
        return _dedented(line, context)
    if line.whole and _starts_another(line, context):
        return End.BEFORE
    return End.NOT_YET


def _dedented(line: Line, context: SyntaxContext) -> End:
    if _CLOSER.match(line.text):
        # Whether it is wanted is a matter of the brackets; in any case it is the last line.
        return End.AFTER if line.whole else End.NOT_YET
    if context.language_id == "ruby" and line.may_close:
        if not line.whole and "end".startswith(line.text.strip()):
            return End.NOT_YET
        return End.AFTER if _END_WORD.match(line.text) else End.BEFORE
    return End.BEFORE


def _starts_another(line: Line, context: SyntaxContext) -> bool:
    """Return whether the line begins what nobody asked for.

    That is the next definition, or what comes next in the document anyway.
    """
    if _repeats_next(line, context):
        return True
    if width_of(line.text) > context.floor or all(_PREAMBLE.match(kept) for kept in line.kept):
        return False
    top_level = context.floor == 0 and _blank(line.kept[-1])
    return top_level or _DEFINITION.match(line.text) is not None


def _repeats_next(line: Line, context: SyntaxContext) -> bool:
    below = context.around.below
    if context.rest is not Rest.NOTHING or not below:
        return False
    text = line.text if line.kept else context.line_before + line.text
    # At another indentation the same words are something else: an early `return`, an outer `end`.
    if width_of(text) != width_of(below[0]) or not duplicates(text, below[0]):
        return False
    # Tables and unrolled loops repeat their lines.
    before = context.around.before.removesuffix(context.line_before)
    above = before.rstrip().rpartition("\n")[2]
    return below[0].strip() not in {above.strip(), *(line.strip() for line in below[1:2])}


def _blank(line: str) -> bool:
    return not line.strip()


class Closers:
    """The brackets that are open while an answer is read: its own, and those around the cursor."""

    def __init__(self, context: SyntaxContext) -> None:
        self._context = context
        self._own: list[str] = []
        """Openers of the answer, outermost first."""
        self._around = [bracket.character for bracket in context.opened]
        """Openers before the cursor, outermost first."""
        self._first_line = True

    @property
    def inside(self) -> bool:
        """Whether brackets of the answer are open."""
        return bool(self._own)

    def leaves_open(self, line: str, lexed: Lexed) -> bool:
        """Return whether brackets of the answer are open behind this line."""
        if not lexed.strays:
            return bool(self._own or lexed.opened)
        return bool(self._read(line, lexed)._own)

    def unwanted(self, line: str, lexed: Lexed, *, whole: bool) -> Bracket | None:
        """Return the first closing bracket that what was asked for ends before.

        If the line may yet open again what it closes (`} else {`), only the whole line decides.
        """
        after = self._copy()
        for stray in lexed.strays:
            if after._close(line, stray):
                continue
            undecided = not whole or _reopened(stray, lexed)
            return None if undecided and self._may_reopen(line, stray) else stray
        return None

    def keep(self, line: str, lexed: Lexed) -> int:
        """Take over a whole line. Return how many missing brackets it closed."""
        before = len(self._around)
        after = self._read(line, lexed)
        self._own, self._around = after._own, after._around
        self._first_line = False
        return before - len(self._around)

    def _read(self, line: str, lexed: Lexed) -> Closers:
        """Return the brackets that are open behind the line."""
        after = self._copy()
        opened = [bracket.character for bracket in lexed.opened]
        for stray in lexed.strays:
            if not after._close(line, stray) and PARTNER[stray.character] in opened:
                opened.remove(PARTNER[stray.character])
        after._own += opened
        return after

    def _copy(self) -> Closers:
        copied = Closers(self._context)
        copied._own, copied._around = [*self._own], [*self._around]
        copied._first_line = self._first_line
        return copied

    def _close(self, line: str, stray: Bracket) -> bool:
        """Close the partner of `stray`, if it has one; return False if that is closed already."""
        opener = PARTNER[stray.character]
        if opener in self._own:
            del self._own[_last(self._own, opener) :]
            return True
        leads = not line[: stray.offset].strip(")]} \t")
        if opener not in self._around:
            return not (leads and self._stands_below(line, stray.character))
        index = _last(self._around, opener)
        if not leads and index < len(self._around) - 1:
            return True
        if self._context.opened[index].closed:
            return False
        del self._around[index:]
        return True

    def _stands_below(self, line: str, closer: str) -> bool:
        """Return whether the document has the closer on a line of the same indentation.

        This is asked where the opener lies beyond the nearby text.
        """
        before = self._context.line_before
        if self._first_line and before.strip():
            return False
        width = width_of(before + line if self._first_line else line)
        below = self._context.around.below
        found = first_within(below, width)
        if found is None:
            return not self._context.around.whole_after
        return width_of(below[found]) == width and leading_closers(below[found])[:1] == closer

    def _may_reopen(self, line: str, stray: Bracket) -> bool:
        """Return whether the line is one that closes a block and opens the next.

        It can be one if nothing else stands on the cursor's line.
        """
        leads = not line[: stray.offset].strip(")]} \t")
        blank = not self._context.line_before.strip() and self._context.rest is Rest.NOTHING
        return self._first_line and leads and blank


def _reopened(stray: Bracket, lexed: Lexed) -> bool:
    return any(bracket.character == PARTNER[stray.character] for bracket in lexed.opened)


def _last(openers: list[str], opener: str) -> int:
    return len(openers) - 1 - openers[::-1].index(opener)
