"""Says, while text streams in, when the syntactic unit that was asked for is complete."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import MappingProxyType

from cato_lsp.completion.closers import Closers
from cato_lsp.completion.ends import End, Line, believed_end, block_end, statement_end
from cato_lsp.completion.fitting import (
    before_word,
    end_of_code,
    is_fence,
    reindented,
    rejoined,
    unit_of,
    unrepeated,
    without_repeats,
)
from cato_lsp.completion.whole import only_whole
from cato_lsp.decisions.classify import Assignment, Extent
from cato_lsp.syntax.context import SyntaxContext
from cato_lsp.syntax.lexing import Lexed, lex, lex_behind, lexicon_of
from cato_lsp.syntax.nearby import is_word

Rule = Callable[[Line, SyntaxContext], End]

_RULES: MappingProxyType[Extent, Rule] = MappingProxyType(
    {
        Extent.LINE: statement_end,
        Extent.BLOCK: block_end,
        Extent.BELIEVED: believed_end,
        Extent.WHOLE: lambda line, context: End.NOT_YET,
    }
)

# What may yet turn out to be a literal that holds a bracket: a character, a regular expression.
_MAYBE_LITERAL = re.compile(r"['/]|%\w?[({\[]")
_MOST_LEADING_BLANKS = 2


class Completeness:
    """Reads the pieces of one answer in order, and decides when it is complete and what to show.

    Whole lines are read once; only the line that is still streaming is read again.
    """

    def __init__(
        self, context: SyntaxContext, assignment: Assignment, *, max_lines: int = 40
    ) -> None:
        self._context = context
        self._rule = _RULES[assignment.limits.extent]
        self._whole = assignment.limits.extent is Extent.WHOLE
        self._max_lines = max_lines
        self._lexicon = lexicon_of(context.language_id)
        self._prose = context.in_comment or context.in_string or self._whole
        self._lines: list[str] = []
        self._line = ""
        self._done = False
        self._region = context.region
        self._closers = Closers(context)
        self._missing = context.unclosed
        self._dropped = 0

    @property
    def has_lines(self) -> bool:
        """Whether a line with something on it is whole."""
        return any(line.strip() for line in self._lines)

    def feed(self, delta: str) -> bool:
        """Take the next piece. Return True once nothing that follows can change `text()`."""
        if self._done:
            return True
        *whole, self._line = (self._line + delta.replace("\r", "")).split("\n")
        self._done = any(map(self._read_whole, whole)) or (
            self._line != "" and self._read(self._line, whole=False)
        )
        if self._done:
            self._line = ""
        return self._done

    def text(self, *, truncated: bool = False) -> str:
        """Return what to show of what was fed so far; empty if nothing is worth showing.

        `truncated`: the answer ended because of its token limit, so that a last line among several
        is a fragment.
        """
        lines = [*self._lines]
        if not (truncated and lines):
            last = self._last_line()
            end, cut, _ = self._judged(last, whole=True)
            lines += [] if end is End.BEFORE else [last[:cut]]
        text = self._fitted("\n".join(lines))
        if self._whole:
            return text.rstrip()
        shown = only_whole(without_repeats(text.rstrip()), self._context)
        if self._context.above_code and self._lines and shown:
            return f"{shown}\n{self._context.indentation}"
        if is_word(self._context.line_after[:1]) and not self._context.in_word:
            return before_word(text, shown)
        return shown

    def _last_line(self) -> str:
        """Return the line that is still streaming, as far as it is code."""
        if self._whole:
            return self._line
        if self._is_fence(self._line):
            return ""
        return self._line[: end_of_code(self._line, self._context.around)]

    def _is_fence(self, line: str) -> bool:
        is_code = not self._prose and self._region is None
        return is_code and is_fence(line, self._context.language_id)

    def _fitted(self, text: str) -> str:
        """Return `text` as it continues the cursor's line, indented as the document is."""
        if self._prose:
            return rejoined(text, self._context, "")
        unit = unit_of(self._context.around)
        blank = not self._context.line_before.strip()
        return reindented(rejoined(text, self._context, unit), unit, first=blank)

    def _read_whole(self, line: str) -> bool:
        """Read a line whose end has come, and return whether the completion is over."""
        if self._is_fence(line):
            self._dropped += 1
            return bool(self._lines)
        end = None if self._whole else end_of_code(line, self._context.around)
        if end is None:
            return self._read(line, whole=True)
        if line[:end].strip():
            self._read(line[:end], whole=True)
        return True

    def _read(self, line: str, *, whole: bool) -> bool:
        """Read what is left, and return whether the completion is over."""
        if self._is_leading_blank(line):
            self._dropped += whole
            return self._dropped > _MOST_LEADING_BLANKS
        end, cut, lexed = self._judged(line, whole=whole)
        if end is End.BEFORE:
            return True
        if cut is not None:
            kept = line[:cut]
            code_ends = None if self._whole else end_of_code(kept, self._context.around)
            self._lines.append(kept[:code_ends])
            return True
        return whole and (self._keep(line, lexed) or end is End.AFTER)

    def _judged(self, line: str, *, whole: bool) -> tuple[End, int | None, Lexed]:
        """Return what the rule says about `line`, where it must be cut, and what it leaves open."""
        lexed = self._lexed(line)
        seen = Line(
            text=line,
            whole=whole,
            kept=self._lines,
            inside=not self._prose and (self._closers.inside or self._region is not None),
            leaves_open=self._leaves_open(line, lexed),
            may_close=self._missing > 0,
        )
        return self._rule(seen, self._context), self._cut(line, lexed, whole=whole), lexed

    def _leaves_open(self, line: str, lexed: Lexed) -> bool:
        # Behind code inside of a string the lexicon takes the end of the string for a beginning.
        if self._context.in_hole:
            return False
        return self._closers.leaves_open(line, lexed) or lexed.region is not None

    def _is_leading_blank(self, line: str) -> bool:
        """Return whether the answer begins with a line end though the cursor's line is blank."""
        return not (self._lines or line.strip() or self._context.line_before.strip() or self._whole)

    def _keep(self, line: str, lexed: Lexed) -> bool:
        """Keep a line, and return whether there is enough, or more of the same."""
        self._lines.append(line)
        self._region = lexed.region
        self._missing -= self._closers.keep(line, lexed)
        kept = unrepeated(self._lines)
        if kept is not None:
            del self._lines[kept:]
            return True
        return not self._whole and len(self._lines) >= self._max_lines

    def _cut(self, line: str, lexed: Lexed, *, whole: bool) -> int | None:
        """Return where `line` runs into what stands behind the cursor, or leaves its block."""
        if self._prose:
            return self._end_of_string(line)
        unwanted = self._closers.unwanted(line, lexed, whole=whole)
        if unwanted is None:
            return None
        may_be_literal = not whole and _MAYBE_LITERAL.search(line[: unwanted.offset])
        return None if may_be_literal else unwanted.offset

    def _lexed(self, line: str) -> Lexed:
        """Return what `line` leaves open."""
        if self._lines or self._region is not None:
            return lex(line, self._lexicon, self._region)
        return lex_behind(self._context.line_before, line, self._lexicon)

    def _end_of_string(self, line: str) -> int | None:
        """Return the place of the closing quote, if the document has it behind the cursor."""
        region = self._context.region
        if self._lines or region is None or self._whole or not self._context.in_string:
            return None
        closes = self._lexicon.regions[region][0].closes
        if not self._context.line_after.startswith(closes):
            return None
        end = self._lexicon.regions[region][1].match(line)
        return None if end is None else end.start("end")
