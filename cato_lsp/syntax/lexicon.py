"""How each language writes comments, strings and brackets.

tree-sitter knows all this better, but only for text that parses: while somebody types, a quote is
open, a bracket has no partner, and generated text has no tree at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Region:
    """A string or a block comment: between an opening and a closing delimiter."""

    opens: str
    """A regular expression."""
    closes: str
    comment: bool = False
    multiline: bool = False
    escapes: bool = True

    def ends(self) -> re.Pattern[str]:
        """Finds what matters inside of the region: an escape, or (as group `end`) its end."""
        escape = r"\\.|" if self.escapes else ""
        line_end = "" if self.multiline else r"|(?P<line>[\r\n])"
        return re.compile(f"{escape}(?P<end>{re.escape(self.closes)}){line_end}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """One language's comments, strings and brackets, compiled."""

    token: re.Pattern[str]
    """The next token in code; its groups: skip, r0, r1 ... (a region), line, open, close."""
    regions: tuple[tuple[Region, re.Pattern[str]], ...]
    line_comment: re.Pattern[str]
    """At the start of a line (blanks aside) that holds a comment alone; group 1 is its text."""


def _lexicon(line: str, regions: Iterable[Region], skip: str = "(?!)") -> Lexicon:
    regions = tuple(regions)
    opening = "".join(f"(?P<r{i}>{region.opens})|" for i, region in enumerate(regions))
    return Lexicon(
        token=re.compile(
            rf"(?P<skip>{skip})|{opening}(?P<line>{line})|(?P<open>[(\[{{])|(?P<close>[)\]}}])",
            re.MULTILINE,
        ),
        regions=tuple((region, region.ends()) for region in regions),
        line_comment=re.compile(rf"[ \t]*(?:{line})[/!#]*[ \t]?(.*)"),
    )


_DOUBLE = Region('"', '"')
_SINGLE = Region("'", "'")
_BLOCK = Region(r"/\*", "*/", comment=True, multiline=True, escapes=False)
_TEXT_BLOCK = Region('"""', '"""', multiline=True)
_BACKTICK = Region("`", "`", multiline=True)
_C = (_BLOCK, _DOUBLE, _SINGLE)

# A slash where an operand must stand, up to the next slash outside of a class.
_REGEX_LITERAL = (
    r"(?<=[=(,:;!&|?{}\[])[ \t]*/(?![/*])(?:\\.|\[(?:\\.|[^\]\n]){0,40}\]|[^/\\\n\[]){1,80}/"
)
# A character, or a lifetime.
_RUST_QUOTE = r"'(?:\\[^\n']+|[^\\\n'])'|'[a-z_]\w*"

_PYTHON = _lexicon("#", (_TEXT_BLOCK, Region("'''", "'''", multiline=True), _DOUBLE, _SINGLE))
_JAVASCRIPT = _lexicon("//", (*_C, _BACKTICK), _REGEX_LITERAL)
_JAVA = _lexicon("//", (_BLOCK, _TEXT_BLOCK, _DOUBLE, _SINGLE))
_GO = _lexicon("//", (*_C, Region("`", "`", multiline=True, escapes=False)))
_RUST = _lexicon(
    "//",
    (
        _BLOCK,
        Region('r##"', '"##', multiline=True, escapes=False),
        Region('r#"', '"#', multiline=True, escapes=False),
        Region(r'\br"', '"', multiline=True, escapes=False),
        Region('"', '"', multiline=True),
    ),
    _RUST_QUOTE,
)
_C_LANGUAGE = _lexicon("//", _C)
_CPP = _lexicon("//", (Region(r'R"\(', ')"', multiline=True, escapes=False), *_C))
_CSHARP = _lexicon(
    "//",
    (
        _BLOCK,
        _TEXT_BLOCK,
        Region(r'@\$?"|\$@"', '"', multiline=True, escapes=False),
        _DOUBLE,
        _SINGLE,
    ),
)
_RUBY = _lexicon(
    "#",
    (Region("^=begin", "\n=end", comment=True, multiline=True, escapes=False), _DOUBLE, _SINGLE),
    _REGEX_LITERAL,
)
_PHP = _lexicon(
    r"//|#(?!\[)",
    (_BLOCK, Region('"', '"', multiline=True), Region("'", "'", multiline=True)),
)
# An apostrophe may well be one, and a lone `#` or `--` anything at all.
_UNKNOWN = _lexicon(r"(?:^|(?<=\s))(?://|#|--)(?=\s)", (_DOUBLE,))

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
    }
)


def lexicon_of(language_id: str) -> Lexicon:
    """The lexicon of a language; a cautious one for languages that CATO does not know."""
    return _LEXICONS.get(language_id, _UNKNOWN)
