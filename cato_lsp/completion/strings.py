"""Finds strings and comments that a suggestion leaves open, or closes though the document does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cato_lsp.syntax.context import SyntaxContext
from cato_lsp.syntax.lexing import Lexed, Region, lex, lex_behind, lexicon_of
from cato_lsp.syntax.nearby import is_word

_PREFIX = re.compile(r"(?:(?<!\w)[bBcfFLrRuU]{1,2}8?|[@$#]+)\Z")
"""Of a string."""
_IN_WORD = re.compile(r"\w\Z(?<!\b[bBcfFLrRuU])(?<!\b[bBrRfFuU][rRbBfF8])")
_DOCSTRING_QUOTES = 3
_ENDS_DOCSTRING = re.compile(r"(?:[^\s=(,\[{:]|[^\s:=(]\s*\n\s*)\Z")
"""What stands before delimiters that end a text; else they begin one."""


@dataclass(frozen=True, slots=True)
class LexedLine:
    """A line of the suggestion and what it leaves open."""

    text: str
    start: int
    """Its offset in the suggestion."""
    lexed: Lexed
    since: int
    """The offset in the suggestion where the open region or line comment began."""

    @property
    def end(self) -> int:
        """Return the offset of its end in the suggestion."""
        return self.start + len(self.text)


class StringJudge:
    """Judges the strings and comments of suggestions for one place."""

    def __init__(self, context: SyntaxContext) -> None:
        self._lexicon = lexicon_of(context.language_id)
        self._around = context.around
        self._began_in = context.region

    def lines(self, text: str) -> Iterator[LexedLine]:
        """Yield the lines of a suggestion, read from where the cursor stands."""
        region, start, since = self._began_in, 0, 0
        for line in text.split("\n"):
            if start == 0 and region is None:
                lexed = lex_behind(self._around.line_before, line, self._lexicon)
            else:
                lexed = lex(line, self._lexicon, region)
            since = since if lexed.since < 0 else start + lexed.since
            yield LexedLine(line, start, lexed, since)
            ends = lexed.region is not None and self._ends_with_line(lexed.region, line)
            region, start = None if ends else lexed.region, start + len(line) + 1

    def end_of_whole(self, text: str, lines: list[LexedLine]) -> int | None:
        """Return where `text` must be cut so that nothing is left open; None if nothing is."""
        flaws = self._open_region(text, lines), self._closed_twice(text)
        return min((flaw for flaw in flaws if flaw is not None), default=None)

    def _open_region(self, text: str, lines: list[LexedLine]) -> int | None:
        """Return where the suggestion is whole before a string or comment that nothing closes."""
        for line in lines[:-1]:
            region = line.lexed.region
            if region is None or _is_apostrophe(line.text, line.since - line.start):
                continue
            if self._ends_with_line(region, line.text):
                return before(lines, line.since) or line.end
        last = lines[-1]
        if last.lexed.line_comment:
            return before(lines, last.since) if self._around.line_after.strip() else None
        region, since = last.lexed.region, last.since - last.start
        if region is None:
            return self._end_of_own(text) if self._is_turned() else None
        goes_on = region == self._began_in and lex(text, self._lexicon, region).since < 0
        if goes_on or self._is_closed_behind(region) or _is_apostrophe(last.text, since):
            return None
        return before(lines, last.since)

    def _is_turned(self) -> bool:
        """Return whether the rest of the cursor's line, in order now, is not so as code."""
        return self._behind(None) is not None and self._behind(self._began_in) is None

    def _end_of_own(self, text: str) -> int | None:
        """Return where the string or comment around the cursor ends in `text`."""
        if self._began_in is None:
            return None
        end = self._lexicon.regions[self._began_in][1].match(text)
        return None if end is None else end.start("end") if end["end"] else end.end()

    def _is_closed_behind(self, region: int) -> bool:
        """Return whether the cursor's line closes the region, or else lines below do."""
        behind = self._behind(region)
        if behind is None or (region != self._began_in and behind == self._behind(self._began_in)):
            return True
        return self._is_closed_below(region)

    def _behind(self, region: int | None) -> int | None:
        """Return what is open at the end of the cursor's line if `region` is open behind it."""
        return lex(self._around.line_after, self._lexicon, region).region

    def _ends_with_line(self, region: int, line: str) -> bool:
        return not self._lexicon.regions[region][0].multiline and not line.endswith("\\")

    def _closed_twice(self, text: str) -> int | None:
        """Return where the string or comment around the cursor ends if the document closes it."""
        closed = self._began_in is not None and self._is_closed_below(self._began_in)
        return self._end_of_own(text) if closed else None

    def _is_closed_below(self, region: int) -> bool:
        """Return whether lines below the cursor's close the region, as far as they tell."""
        described, around = self._lexicon.regions[region][0], self._around
        if not described.multiline or self._behind(region) is None:
            return False
        before, closes, behind = around.after.partition(described.closes)
        if not _opens_as_it_closes(described):
            return bool(closes) and re.search(described.opens, before) is None
        if around.whole_after:
            # The lines below are in order only with it.
            in_order = lex(around.after, self._lexicon).region is None
            return not in_order and lex(around.after, self._lexicon, region).region is None
        docstring = len(closes) == _DOCSTRING_QUOTES and not is_word(behind[:1])
        return docstring and _ENDS_DOCSTRING.search(before) is not None


def before(lines: list[LexedLine], offset: int) -> int:
    """Return where to cut a suggestion so that what begins at `offset` is left out.

    Of several lines none is shown in part.
    """
    line = next(one for one in reversed(lines) if one.start <= offset)
    if line.start:
        return line.start - 1
    return len(_PREFIX.sub("", line.text[:offset]))


def _is_apostrophe(line: str, offset: int) -> bool:
    """Return whether the quote at `offset` stands within a word, as in text between tags."""
    return offset > 0 and line[offset] == "'" and _IN_WORD.search(line[:offset]) is not None


def _opens_as_it_closes(region: Region) -> bool:
    return re.fullmatch(region.opens, region.closes) is not None
