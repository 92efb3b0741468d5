"""Reads a piece of text for what it leaves open: strings, comments, brackets.

tree-sitter knows all this better, but only for text that parses: while somebody types, a quote is
open, a bracket has no partner, and generated text has no tree at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cato_lsp.syntax.lexicons import Lexicon

PARTNER = {")": "(", "]": "[", "}": "{"}
_HEAD = 16
"""Characters before a text that tell what a slash or a quote at its beginning means."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """An opening or closing bracket at an offset of the text that was read."""

    character: str
    offset: int


@dataclass(frozen=True, slots=True)
class Lexed:
    """Strings, comments and brackets that are open at the end of a text."""

    region: int | None
    """The index of the string or block comment that is open, in the lexicon's regions."""
    line_comment: bool
    opened: tuple[Bracket, ...]
    """Openers without a partner, outermost first."""
    strays: tuple[Bracket, ...]
    """Closers whose openers must stand before the text."""
    since: int = -1
    """Where the open region or the line comment began; -1 if that was before the text."""

    def behind(self, characters: int) -> Lexed:
        """Return the same with offsets that count from behind so many characters."""
        return replace(
            self,
            opened=tuple(Bracket(one.character, one.offset - characters) for one in self.opened),
            strays=tuple(Bracket(one.character, one.offset - characters) for one in self.strays),
            since=max(self.since - characters, -1),
        )


def lex(text: str, lexicon: Lexicon, region: int | None = None, at: int = 0) -> Lexed:
    """Read `text` from offset `at` on.

    The offset lies inside of `region`, or in code where that is None. What stands before tells
    whether a slash there divides or begins a literal.
    """
    opened: list[Bracket] = []
    strays: list[Bracket] = []
    since = -1
    while True:
        if region is not None:
            at = _end_of_region(text, at, lexicon, region)
            if at < 0:
                return Lexed(region, False, tuple(opened), tuple(strays), since)
        token = lexicon.token.match(text, at)
        if token is None:
            return Lexed(None, False, tuple(opened), tuple(strays))
        at, region = token.end(), None
        since = token.start(token.lastgroup or 0)
        match token.lastgroup:
            case "open":
                opened.append(Bracket(text[at - 1], at - 1))
            case "close":
                _close(Bracket(text[at - 1], at - 1), opened, strays)
            case "line":
                at = text.find("\n", at)
                if at < 0:
                    return Lexed(None, True, tuple(opened), tuple(strays), since)
            case "skip" | None:
                continue
            case group:
                region = int(group[1:])


def lex_behind(before: str, text: str, lexicon: Lexicon) -> Lexed:
    """Read `text`, which stands in code behind `before` on the same line."""
    head = before[-_HEAD:]
    return lex(head + text, lexicon, at=len(head.rstrip())).behind(len(head))


def _end_of_region(text: str, at: int, lexicon: Lexicon, region: int) -> int:
    match = lexicon.regions[region][1].match(text, at)
    if match is None:
        return -1
    return match.end() if match.lastgroup == "end" else match.start("line")


def _close(closer: Bracket, opened: list[Bracket], strays: list[Bracket]) -> None:
    """Close the innermost partner, and with it what was left open inside of it."""
    for depth in range(len(opened) - 1, -1, -1):
        if opened[depth].character == PARTNER[closer.character]:
            del opened[depth:]
            return
    strays.append(closer)
