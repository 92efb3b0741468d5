"""Reads a piece of text for what it leaves open: strings, comments, brackets.

tree-sitter knows all this better, but only for text that parses: while a person types, a quote is
open, a bracket has no partner, and generated text has no tree at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType

SHELLS = ("shellscript", "sh", "bash", "zsh")
"""Languages in which a pattern of a `case` ends with a bracket that nothing opens."""

# A slash where an operand must stand, up to the next slash outside of a class.
_REGEX_LITERAL = (
    r"(?=[ \t]*/)(?:(?<=[=(,:;!&|?{}\[~>])|(?<=\b(?:return|unless))|(?<=\b(?:yield|await|while))"
    r"|(?<=\b(?:case|when))|(?<=\b(?:and|not))|(?<=\b(?:if|or|of|in))|^)[ \t]*"
    r"/(?![/*])(?:\\.|\[(?:\\.|[^\]\n]){0,40}\]|[^/\\\n\[]){1,80}/"
)

# A character (`?)`), or a literal between brackets (`%r{...}`).
_RUBY_LITERAL = (
    r"(?<![\w)\]?])\?[^\s\w](?!\w)"
    r"|(?<![\w)\]])%[rqQwWiIx]?(?:\{(?:\\.|[^}\\\n])*\}|\((?:\\.|[^)\\\n])*\)|\[(?:\\.|[^\]\\\n])*\])"
)

# A character, or a lifetime.
_RUST_QUOTE = r"'(?:\\[^\n']+|[^\\\n'])'|'[a-z_]\w*"

# An apostrophe may well be one, and a lone `#` or `--` anything at all.
_QUOTED = r"(?<!\w)'(?:\\.|[^'\\\n]){1,80}'(?!\w)"

PARTNER = {")": "(", "]": "[", "}": "{"}

_HEAD = 16
"""Characters before a text that tell what a slash or a quote at its beginning means."""


@dataclass(frozen=True, slots=True)
class Region:
    """A string or a block comment: between an opening and a closing delimiter."""

    opens: str
    """A regular expression."""
    closes: str
    comment: bool = False
    multiline: bool = False
    escapes: bool = True

    def end(self) -> re.Pattern[str]:
        """Return a pattern that matches from inside of the region up to its end.

        Its group is `end`, or `line` if a line end ends the region, too.
        """
        closes, starts = re.escape(self.closes), re.escape(self.closes[0])
        end = f"(?P<end>{closes})" if self.multiline else rf"(?P<end>{closes})|(?P<line>[\r\n])"
        escape = r"\\.|" if self.escapes else ""
        stops = closes if self.multiline else rf"{closes}|[\r\n]"
        passed = rf"[^\\\r\n{starts}]++|{escape}(?!{stops})."
        return re.compile(f"(?:{passed})*+(?:{end})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One language's comments, strings and brackets, compiled."""

    token: re.Pattern[str]
    """Matches from anywhere in code up to the end of the next token, which is one of the groups:
    skip, r0, r1 ... (a region), line, open, close."""
    regions: tuple[tuple[Region, re.Pattern[str]], ...]
    """Each with what matches up to its end."""
    line_comment: re.Pattern[str]
    """At the start of a line (blanks aside) that holds a comment alone; group 1 is its text."""


def _lexicon(line: str, regions: Iterable[Region], starts: str, skip: str = "(?!)") -> Lexicon:
    """Return a lexicon.

    `starts` are the characters that a token, other than a bracket, can begin with. All others are
    passed over at once: to try each token at each character takes six times as long.
    """
    regions = tuple(regions)
    groups = {"skip": skip, **{f"r{i}": region.opens for i, region in enumerate(regions)}}
    groups |= {"line": line, "open": r"[(\[{]", "close": r"[)\]}]"}
    token = "|".join(f"(?P<{name}>{pattern})" for name, pattern in groups.items())
    nameless = "|".join(f"(?:{pattern})" for pattern in groups.values())
    passed = rf"[^()\[\]{{}}{starts}]++|(?!{nameless})[\s\S]"
    return Lexicon(
        token=re.compile(rf"(?:{passed})*+(?:{token})", re.MULTILINE),
        regions=tuple((region, region.end()) for region in regions),
        # `#!` at the start of a line names an interpreter.
        line_comment=re.compile(rf"(?!#!)[ \t]*(?:{line})[/!#]*[ \t]?(.*)"),
    )


_DOUBLE = Region('"', '"')


_SINGLE = Region("'", "'")


_BLOCK = Region(r"/\*", "*/", comment=True, multiline=True, escapes=False)


_TEXT_BLOCK = Region('"""', '"""', multiline=True)


_BACKTICK = Region("`", "`", multiline=True)


_C = (_BLOCK, _DOUBLE, _SINGLE)


_PYTHON = _lexicon(
    "#", (_TEXT_BLOCK, Region("'''", "'''", multiline=True), _DOUBLE, _SINGLE), starts="#\"'"
)


_JAVASCRIPT = _lexicon("//", (*_C, _BACKTICK), "/\"'` \t", _REGEX_LITERAL)


_JAVA = _lexicon("//", (_BLOCK, _TEXT_BLOCK, _DOUBLE, _SINGLE), "/\"'")


_GO = _lexicon("//", (*_C, Region("`", "`", multiline=True, escapes=False)), "/\"'`")


_RUST = _lexicon(
    "//",
    (
        _BLOCK,
        Region('r##"', '"##', multiline=True, escapes=False),
        Region('r#"', '"#', multiline=True, escapes=False),
        Region(r'\br"', '"', multiline=True, escapes=False),
        Region('"', '"', multiline=True),
    ),
    "/r\"'",
    _RUST_QUOTE,
)


_C_LANGUAGE = _lexicon("//", _C, "/\"'")


_CPP = _lexicon("//", (Region(r'R"\(', ')"', multiline=True, escapes=False), *_C), "/R\"'")


_CSHARP = _lexicon(
    "//",
    (
        _BLOCK,
        _TEXT_BLOCK,
        Region(r'@\$?"|\$@"', '"', multiline=True, escapes=False),
        _DOUBLE,
        _SINGLE,
    ),
    "/@$\"'",
)


_RUBY = _lexicon(
    "#",
    (Region("^=begin", "\n=end", comment=True, multiline=True, escapes=False), _DOUBLE, _SINGLE),
    "#=\"'/ \t?%",
    rf"{_REGEX_LITERAL}|{_RUBY_LITERAL}",
)


_PHP = _lexicon(
    r"//|#(?!\[)",
    (_BLOCK, Region('"', '"', multiline=True), Region("'", "'", multiline=True)),
    "/#\"'",
)


_SHELL = _lexicon(
    r"(?:^|(?<=\s))#",
    (Region('"', '"', multiline=True), Region("'", "'", multiline=True, escapes=False)),
    "#\"'",
)


_UNKNOWN = _lexicon(r"(?:^|(?<=\s))(?://|#|--)(?=\s)", (_DOUBLE,), r"/#\-\"'", _QUOTED)


_LEXICONS = MappingProxyType(
    {
        "python": _PYTHON,
        "javascript": _JAVASCRIPT,
        "javascriptreact": _JAVASCRIPT,
        "typescript": _JAVASCRIPT,
        "typescriptreact": _JAVASCRIPT,
        "java": _JAVA,
        "go": _GO,
        "rust": _RUST,
        "c": _C_LANGUAGE,
        "cpp": _CPP,
        "csharp": _CSHARP,
        "ruby": _RUBY,
        "php": _PHP,
        **dict.fromkeys(SHELLS, _SHELL),
    }
)


def has_lexicon(language_id: str) -> bool:
    """Return whether CATO knows how the language writes comments and strings."""
    return language_id in _LEXICONS


def lexicon_of(language_id: str) -> Lexicon:
    """Return the lexicon of a language; a cautious one for languages that CATO does not know."""
    return _LEXICONS.get(language_id, _UNKNOWN)


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
        """Return the same with offsets reduced by this number of characters."""
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
