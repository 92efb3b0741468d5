"""The syntax around a cursor, as one frozen value."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from cato_lsp.syntax.lexing import Bracket, Lexed, Lexicon, lex, lexicon_of
from cato_lsp.syntax.nearby import (
    Nearby,
    Opened,
    indentation_of,
    is_word,
    nearby,
    opened_at,
    width_of,
)
from cato_lsp.syntax.plain_text import signature_width, wish
from cato_lsp.syntax.scopes import NodeSpan, Scope, place_of
from cato_lsp.text.snapshot import Snapshot


class Rest(StrEnum):
    """The rest of the cursor's line."""

    NOTHING = "nothing"
    CLOSERS = "closers"
    """Only closing brackets and quotes, separators and blanks."""
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class SyntaxContext:
    """The surroundings of one offset of one snapshot."""

    language_id: str
    around: Nearby
    parsed: bool
    """Whether a tree was there; without one, text rules filled in what they could."""
    in_string: bool
    in_comment: bool
    in_hole: bool
    """In code inside of a string."""
    region: int | None
    """The string or block comment that is open here, as an index of the language's lexicon."""
    wish: str | None
    """The comment just above the cursor, where it asks for code."""
    in_expression: bool
    in_arguments: bool
    empty_body: bool
    """After a signature whose body is still empty."""
    block_end: bool
    """Nothing but closers follows in the enclosing block."""
    rest: Rest
    indentation: str
    """Leading blanks of the cursor's line, before the cursor."""
    floor: int
    """The block ends with the first line that is indented by less than this many columns."""
    opened: tuple[Opened, ...]
    """The brackets that are open at the cursor, outermost first."""
    unclosed: int
    """How many brackets and blocks before the cursor nothing behind it closes."""
    scopes: tuple[Scope, ...]
    """Enclosing functions and classes, innermost first."""
    erroneous: bool
    """Whether the tree is erroneous here."""

    @property
    def line_before(self) -> str:
        """The cursor's line up to the cursor."""
        return self.around.line_before

    @property
    def line_after(self) -> str:
        """The cursor's line from the cursor, without its line end."""
        return self.around.line_after

    @property
    def in_word(self) -> bool:
        """Whether the cursor stands inside of a word."""
        return is_word(self.line_before[-1:]) and is_word(self.line_after[:1])

    @property
    def above_code(self) -> bool:
        """Whether the cursor stands at the start of a line of code.

        What is inserted there becomes a line of its own.
        """
        prose = self.in_string or self.in_comment
        return self.rest is Rest.TEXT and not self.line_before.strip() and not prose


_CLOSERS = re.compile(r"[)\]}>\"'`;,:\s]*")
_OPERAND_MISSING = re.compile(
    r"(?:(?<!\+)\+|(?<!-)-|[=*/%&|^!?~.,(\[]|\s[<>]|=>|\b(?:return|in|not|and|or|is|await|yield"
    r"|new|throw|raise|typeof|import|from|as|case|assert|lambda|extends|implements))\s*\Z"
)
_OPENS_BLOCK = re.compile(r"(?:\{|(?<!\w)\bdo|\bthen|\belse|\bbegin|\bdo\s*\|[^|]*\|)\s*\Z")
_OPENS_INDENTED_BLOCK = re.compile(
    r"^\s*(?:(?:if|elif|else|for|while|try|except|finally|with|def|class|async|match|case)\b|[)\]}])"
    r".*:\s*\Z"
)
_CLOSES_BLOCK = re.compile(r"\s*(?:[)\]}]|end\b)")


def syntax_context(snapshot: Snapshot, offset: int) -> SyntaxContext:
    """Return the surroundings of `offset`, which is clamped to the text."""
    offset = min(max(offset, 0), len(snapshot.text))
    around = nearby(snapshot.text, offset)
    lexicon = lexicon_of(snapshot.language_id)
    place = place_of(snapshot, offset, around)
    lexed = lex(around.before[place.lex_from :], lexicon)
    in_string, in_comment = _region(place, around, lexed, lexicon)
    opened = _opened(place, around, lexed, lexicon)
    empty = None if in_string or in_comment else _empty_body(snapshot.language_id, around, place)
    floor = _floor(snapshot.language_id, around, empty)
    return SyntaxContext(
        language_id=snapshot.language_id,
        around=around,
        parsed=snapshot.tree is not None,
        in_string=in_string,
        in_comment=in_comment,
        in_hole=place.hole is not None,
        region=lexed.region if in_string or in_comment else None,
        wish=None if in_string or in_comment else wish(around, lexicon),
        in_expression=_in_expression(opened, around, snapshot.language_id),
        in_arguments=bool(opened) and opened[-1].call,
        empty_body=empty is not None,
        block_end=_block_end(around, floor),
        rest=_rest(around.line_after),
        indentation=indentation_of(around.line_before),
        floor=floor,
        opened=opened,
        unclosed=sum(not bracket.closed for bracket in opened)
        + _missing_end(snapshot, around, floor),
        scopes=place.scopes,
        erroneous=place.erroneous,
    )


def _region(place: NodeSpan, around: Nearby, lexed: Lexed, lexicon: Lexicon) -> tuple[bool, bool]:
    """Return whether the cursor is in a string, and whether in a comment.

    The tree tells where it is sound, else the text.

    Where all of the nearby text lies in one string or comment, the text alone cannot tell.
    """
    if place.sound or place.lex_from >= len(around.before) > 0:
        return place.in_string, place.in_comment
    if lexed.region is None:
        return False, lexed.line_comment
    comment = lexicon.regions[lexed.region][0].comment
    return not comment and not place.in_hole, comment


def _opened(place: NodeSpan, around: Nearby, lexed: Lexed, lexicon: Lexicon) -> tuple[Opened, ...]:
    """Return the brackets that are open at the cursor.

    The lexicon takes a string with code in it for one string: in such code it begins again, and
    what is open around the string stays so.
    """
    hole = place.hole
    if hole is None or hole < place.lex_from:
        brackets = [Bracket(b.character, b.offset + place.lex_from) for b in lexed.opened]
        return opened_at(brackets, around, lexicon)
    outer = opened_at(lex(around.before[:hole], lexicon, at=place.lex_from).opened, around, lexicon)
    # What is opened in the string is closed in its line, if it is closed.
    line = replace(around, below=(), whole_after=True)
    inner = opened_at(lex(around.before, lexicon, at=hole).opened, line, lexicon)
    return *(replace(bracket, closed=True) for bracket in outer), *inner


def _empty_body(language_id: str, around: Nearby, place: NodeSpan) -> int | None:
    """Return the signature's indentation if its body is empty and the cursor stands in it."""
    width = place.empty_body
    if width is None and not place.sound:
        width = signature_width(around.before, language_id, lexicon_of(language_id))
    if width is None or _rest(around.line_after) is Rest.TEXT:
        return None
    below = around.below
    return width if not below or width_of(below[0]) <= width else None


def _floor(language_id: str, around: Nearby, signature: int | None) -> int:
    if signature is not None:
        return signature + 1
    line = around.line_before
    width = width_of(line)
    return width + 1 if opens_block(line, language_id) else width


def opens_block(line: str, language_id: str) -> bool:
    """Return whether the line, read up to its end, opens a block."""
    if language_id == "python":
        return _OPENS_INDENTED_BLOCK.match(line) is not None
    return _OPENS_BLOCK.search(line) is not None


def _block_end(around: Nearby, floor: int) -> bool:
    if _rest(around.line_after) is Rest.TEXT:
        return False
    below = around.below
    if not below:
        return around.whole_after
    return width_of(below[0]) < floor or _CLOSES_BLOCK.match(below[0]) is not None


def _missing_end(snapshot: Snapshot, around: Nearby, floor: int) -> int:
    """Return 1 if a Ruby block around the cursor has no `end` yet, else 0."""
    if snapshot.language_id != "ruby" or floor == 0:
        return 0
    outer = next((line for line in around.below if width_of(line) < floor), None)
    if outer is None:
        return int(around.whole_after)
    closes = re.match(r"\s*(?:end|else|elsif|when|in|rescue|ensure)\b", outer)
    return int(closes is None)


def _in_expression(opened: tuple[Opened, ...], around: Nearby, language_id: str) -> bool:
    line = around.line_before
    if opened and (opened[-1].character in "([" or language_id == "python"):
        return True
    if not line.strip():
        return False
    return _rest(around.line_after) is Rest.TEXT or bool(_OPERAND_MISSING.search(line))


def _rest(line: str) -> Rest:
    if not line.strip():
        return Rest.NOTHING
    return Rest.CLOSERS if _CLOSERS.fullmatch(line) else Rest.TEXT
