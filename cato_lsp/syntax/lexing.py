"""Reads a piece of text for what it leaves open: strings, comments, brackets."""

from __future__ import annotations

from dataclasses import dataclass

from cato_lsp.syntax.lexicon import Lexicon

PARTNER = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Bracket:
    """An opening or closing bracket at an offset of the text that was read."""

    character: str
    offset: int


@dataclass(frozen=True, slots=True)
class Lexed:
    """What stands open at the end of a piece of text."""

    region: int | None
    """The index of the string or block comment that is open, in the lexicon's regions."""
    line_comment: bool
    opened: tuple[Bracket, ...]
    """Openers without a partner, outermost first."""
    strays: tuple[Bracket, ...]
    """Closers whose openers must stand before the text."""


def lex(text: str, lexicon: Lexicon, region: int | None = None, at: int = 0) -> Lexed:
    """Reads `text` from offset `at` on, which lies inside of `region`, or in code where that is
    None. What stands before tells whether a slash there divides or begins a literal."""
    opened: list[Bracket] = []
    strays: list[Bracket] = []
    while True:
        if region is not None:
            at = _end_of_region(text, at, lexicon, region)
            if at < 0:
                return Lexed(region, False, tuple(opened), tuple(strays))
        token = lexicon.token.match(text, at)
        if token is None:
            return Lexed(None, False, tuple(opened), tuple(strays))
        at, region = token.end(), None
        match token.lastgroup:
            case "open":
                opened.append(Bracket(text[at - 1], at - 1))
            case "close":
                _close(Bracket(text[at - 1], at - 1), opened, strays)
            case "line":
                at = text.find("\n", at)
                if at < 0:
                    return Lexed(None, True, tuple(opened), tuple(strays))
            case "skip" | None:
                continue
            case group:
                region = int(group[1:])


def _end_of_region(text: str, at: int, lexicon: Lexicon, region: int) -> int:
    match = lexicon.regions[region][1].match(text, at)
    if match is None:
        return -1
    return match.end() if match.lastgroup == "end" else match.start("line")


def _close(closer: Bracket, opened: list[Bracket], strays: list[Bracket]) -> None:
    """Closes the innermost partner, and with it what was left open inside of it."""
    for depth in range(len(opened) - 1, -1, -1):
        if opened[depth].character == PARTNER[closer.character]:
            del opened[depth:]
            return
    strays.append(closer)
