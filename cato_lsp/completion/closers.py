"""The brackets that are open while an answer is read, and before which closing one it ends.

A closing bracket counts only where it can be one: its kind must be the kind of the innermost open
bracket. All others stand in a literal, a pattern (`stop)` of a shell's `case`) or in prose that
the lexicon cannot tell from code.
"""

from __future__ import annotations

from cato_lsp.syntax.context import Rest, SyntaxContext
from cato_lsp.syntax.lexing import PARTNER, SHELLS, Bracket, Lexed, has_lexicon
from cato_lsp.syntax.nearby import first_within, leading_closers, width_of


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
            del self._own[last_of(self._own, opener) :]
            return True
        leads = not line[: stray.offset].strip(")]} \t")
        if opener not in self._around:
            return not self._is_orphan(line, stray, leads=leads)
        index = last_of(self._around, opener)
        if not leads and index < len(self._around) - 1:
            return not self._is_orphan(line, stray, leads=leads)
        if self._context.opened[index].closed:
            return False
        del self._around[index:]
        return True

    def _is_orphan(self, line: str, stray: Bracket, *, leads: bool) -> bool:
        """Return whether nothing can have opened a closer that is not known to be open.

        Where nothing is open in the nearby text, a line may begin with what closes a block beyond
        it. A pattern of a shell's `case` ends with a bracket that nothing opens.
        """
        known = has_lexicon(self._context.language_id) and not self._context.in_hole
        beyond = not (self._around or self._context.around.whole_before)
        if known and not (leads and beyond) and self._context.language_id not in SHELLS:
            return True
        return leads and self._stands_below(line, stray)

    def _stands_below(self, line: str, stray: Bracket) -> bool:
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
        return (
            width_of(below[found]) == width and leading_closers(below[found])[:1] == stray.character
        )

    def _may_reopen(self, line: str, stray: Bracket) -> bool:
        """Return whether the line is one that closes a block and opens the next.

        It can be one if nothing else stands on the cursor's line.
        """
        leads = not line[: stray.offset].strip(")]} \t")
        blank = not self._context.line_before.strip() and self._context.rest is Rest.NOTHING
        return self._first_line and leads and blank


def _reopened(stray: Bracket, lexed: Lexed) -> bool:
    return any(bracket.character == PARTNER[stray.character] for bracket in lexed.opened)


def last_of(openers: list[str], opener: str) -> int:
    """Return the index of the innermost bracket of this kind, which must be there."""
    return len(openers) - 1 - openers[::-1].index(opener)
