"""Cuts a suggestion so that it leaves no string and no bracket open.

The text behind the cursor counts. A string that it closes may stay open, and a bracket too. Where
the lexicon cannot tell what the cursor stands in, nothing is cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cato_lsp.completion.closers import last_of
from cato_lsp.completion.fitting import without_overlap
from cato_lsp.completion.strings import LexedLine, StringJudge, before
from cato_lsp.syntax.context import SyntaxContext
from cato_lsp.syntax.lexing import PARTNER, Bracket, has_lexicon, lex, lexicon_of
from cato_lsp.syntax.nearby import is_word

LEAST_WORDS = 2
"""Characters of words in what is left of a suggestion: less is not worth a look."""

_QUOTES_STRINGS = frozenset(
    {"json", "jsonc", "css", "scss", "less", "lua", "toml", "kotlin", "swift", "scala", "dart"}
)
"""Languages without a lexicon of their own that write strings and brackets as most do."""
_UNFINISHED = re.compile(r"[\s,=+\-*/%&|<>?:.!~^]+\Z")
"""What asks for an operand that was cut off."""
_COMMENTS = re.compile(r"(?:\s|/\*(?:[^*]|\*(?!/))*\*/)+\Z")


def only_whole(text: str, context: SyntaxContext) -> str:
    """Return the longest beginning of `text` that is whole and worth showing; else nothing.

    An end that stands behind the cursor already is left out, unless its bracket is needed.
    """
    shown = without_overlap(text, context.line_after)
    if context.in_hole or not (has_lexicon(context.language_id) or _writes_strings(context)):
        return shown
    judge = _Judge(context)
    end = judge.end_of_whole(shown)
    if end is not None and shown != text and judge.end_of_whole(text) is None:
        return text
    kept = shown
    while end is not None:
        in_line = shown[end] != "\n"
        kept = judge.finished(kept[:end]) if in_line else kept[:end].rstrip()
        if in_line and sum(map(is_word, kept)) < LEAST_WORDS:
            return ""
        end = judge.end_of_whole(kept)
    return kept


def _writes_strings(context: SyntaxContext) -> bool:
    return context.language_id in _QUOTES_STRINGS


@dataclass(frozen=True, slots=True)
class _Opener:
    """A bracket of the suggestion that is open."""

    character: str
    line: LexedLine
    offset: int
    """In the suggestion."""

    @property
    def in_header(self) -> bool:
        """Whether its line ends with an opener, so that something follows on lines of its own."""
        lexed, text = self.line.lexed, self.line.text
        code = text[: self.line.since - self.line.start] if lexed.line_comment else text
        return _COMMENTS.sub("", code).endswith(("(", "[", "{"))


class _Judge:
    """Finds strings and brackets that suggestions for one place leave open."""

    def __init__(self, context: SyntaxContext) -> None:
        self._context = context
        self._lexicon = lexicon_of(context.language_id)
        self._strings = StringJudge(context)
        # Of line comments, and of strings that the tree knows alone, the lexicon sees nothing.
        self._is_blind = (context.in_comment or context.in_string) and context.region is None

    def end_of_whole(self, text: str) -> int | None:
        """Return where `text` must be cut; None if it is whole."""
        if self._is_blind or not text:
            return None
        lines = list(self._strings.lines(text))
        flaws = (
            self._strings.end_of_whole(text, lines),
            self._closed_by_nothing(lines),
            self._open_bracket(lines),
        )
        return min((flaw for flaw in flaws if flaw is not None), default=None)

    def finished(self, text: str) -> str:
        """Return `text` without an operator at its end, unless that is part of a string."""
        in_code = lex(text, self._lexicon, self._context.region).region is None
        return _UNFINISHED.sub("", text) if in_code else text.rstrip()

    def _closed_by_nothing(self, lines: list[LexedLine]) -> int | None:
        """Return the place of a bracket behind the cursor's string that closes nothing.

        Those in code were judged while the answer was read.
        """
        if self._context.region is None or not self._context.around.whole_before:
            return None
        around = [bracket.character for bracket in self._context.opened]
        own: list[str] = []
        for line in lines:
            for stray in line.lexed.strays:
                opener = PARTNER[stray.character]
                held = own if opener in own else around
                if opener not in held:
                    return line.start + stray.offset
                del held[last_of(held, opener)]
            own += [bracket.character for bracket in line.lexed.opened]
        return None

    def _open_bracket(self, lines: list[LexedLine]) -> int | None:
        """Return where the suggestion is whole before the outermost bracket left open."""
        opened: list[_Opener] = []
        for line in lines:
            for stray in line.lexed.strays:
                _close(opened, stray)
            opened += (_Opener(b.character, line, line.start + b.offset) for b in line.lexed.opened)
        for closer in self._spare_closers(lines[-1].lexed.region):
            if opened and opened[-1].character == PARTNER[closer.character]:
                opened.pop()
        left = [one for one in opened if not (one.in_header and one.line is lines[-1])]
        if not left:
            return None
        return left[0].line.end if left[0].in_header else before(lines, left[0].offset)

    def _spare_closers(self, region: int | None) -> list[Bracket]:
        """Return the closers behind the cursor that close nothing before it."""
        spare = list(lex(self._context.around.after, self._lexicon, region).strays)
        for bracket in reversed(self._context.opened):
            found = next(
                (one for one in spare if PARTNER[one.character] == bracket.character), None
            )
            if found is not None:
                spare.remove(found)
        return spare


def _close(opened: list[_Opener], closer: Bracket) -> None:
    """Close the innermost partner, and what is open inside of it."""
    for depth in range(len(opened) - 1, -1, -1):
        if opened[depth].character == PARTNER[closer.character]:
            del opened[depth:]
            return
