"""Syntax of plain text without a tree: signatures, comments that ask for code, definitions."""

from __future__ import annotations

import re
from types import MappingProxyType

from cato_lsp.syntax.lexing import Lexicon, lex, lexicon_of
from cato_lsp.syntax.nearby import Nearby, width_of
from cato_lsp.syntax.scopes import Scope
from cato_lsp.text.snapshot import Snapshot

_PARENTHESES = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
_LONGEST_SIGNATURE = 500
_MOST_LINES = 12
"""Bounds on what an unbalanced text can cost: every start is tried, and backtracks."""

_NO_FUNCTION = r"(?:if|for|foreach|while|switch|catch|with|using|lock|synchronized|match|fixed)\b"
_BRACED = rf"[\w>\]&*~]\s*{_PARENTHESES}[\w\s<>,.:&*?|\[\]]*"
_PYTHON = re.compile(rf"^[ \t]*(?:async\s+)?def\s+\w+\s*{_PARENTHESES}[^:\n]*:\s*\Z", re.MULTILINE)
_RUBY = re.compile(rf"^[ \t]*def\s+[\w.?!=]+\s*(?:{_PARENTHESES})?\s*\Z", re.MULTILINE)
_FN = re.compile(r"^[ \t]*(?:[\w() ]+\s)?fn\s+\w+[^;{}]*\{\s*\Z", re.MULTILINE)
_FUNC = re.compile(r"^.*\bfunc\b[^;{}]*\{\s*\Z", re.MULTILINE)
_METHOD = re.compile(
    rf"^[ \t]*(?![ \t}}]*(?:else\s+)?{_NO_FUNCTION})[^\n;{{}}()=]*{_BRACED}\{{\s*\Z", re.MULTILINE
)
_ARROW = re.compile(
    rf"^.*(?:\bfunction\b[^;{{}}()]*{_PARENTHESES}[^;{{}}()]*|{_PARENTHESES}[^\n;{{}}]*=>\s*|\w\s*=>\s*)\{{\s*\Z",
    re.MULTILINE,
)

_SIGNATURES = MappingProxyType(
    {
        "python": (_PYTHON,),
        "ruby": (_RUBY,),
        "rust": (_FN,),
        "go": (_FUNC,),
        "javascript": (_ARROW, _METHOD),
        "javascriptreact": (_ARROW, _METHOD),
        "typescript": (_ARROW, _METHOD),
        "typescriptreact": (_ARROW, _METHOD),
        "php": (_ARROW, _METHOD),
        "java": (_METHOD,),
        "c": (_METHOD,),
        "cpp": (_METHOD,),
        "csharp": (_METHOD,),
    }
)
_UNKNOWN = (_PYTHON, _FN, _FUNC, _ARROW)

_DOCSTRING = re.compile(r'(?:"""(?:(?!""").)*"""|\'\'\'(?:(?!\'\'\').)*\'\'\')\s*\Z', re.DOTALL)
_BLOCK_COMMENT = re.compile(r"/\*(?:(?!\*/).)*\*/[ \t]*\Z", re.DOTALL)
_COMMENT_EDGE = re.compile(r"^[ \t]*(?:/\*+|\*+/?)[ \t]*|[ \t]*\*+/[ \t]*$", re.MULTILINE)

_WISH = re.compile(
    r"(?:todo|fixme|implement|write|create|add|build|make|define|declare|compute|calculate|return"
    r"|get|fetch|load|read|parse|convert|transform|translate|sort|filter|find|search|count|sum"
    r"|check|validate|verify|test|print|log|send|open|close|save|store|update|remove|delete|insert"
    r"|merge|split|join|reverse|generate|render|format|handle|initiali[sz]e|iterate|loop|map"
    r"|reduce|group|encode|decode|encrypt|decrypt|connect|call|use|set|draw|extract|download|upload"
    r"|function|method|class|helper|given|now)(?:e?s)?\b",
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(
    r"\s*(?:noqa|type:|pylint|eslint|prettier|pragma|region|endregion|copyright|licen[sc]e|spdx"
    r"|@ts-|fmt:|ruff:|mypy:|clang-format|nolint|!)",
    re.IGNORECASE,
)
LONGEST_BLOCK = 2_000
"""Lines that are looked at in either direction."""

_FUNCTION = r"def|defp|function|func|fun|fn|sub|proc|procedure|method|macro"
_CLASS = r"class|struct|interface|trait|impl|module|object|enum|protocol|record"
_HEADER = re.compile(
    rf"\s*(?:[a-z]+\s+){{0,4}}?(?:(?P<function>{_FUNCTION})|(?P<class>{_CLASS}))\s+"
    r"(?:<[^>]*>\s*)?(?P<name>[\w.:]+)"
    r"|\s*(?:local\s+)?(?P<assigned>[\w.:]+)\s*=\s*function\b"
)
_END = re.compile(r"\s*(?:[)\]}]|end\b)")
_ONE_LINE = MappingProxyType(
    {
        "kotlin": re.compile(r".*[^\s{(\[,=]\s*$"),
        "lua": re.compile(r".*\bend\s*$"),
    }
)
"""How a definition ends that has no further line."""
_ABOVE = re.compile(r"\s*(?:@\w|#(?!!)|//|/\*|\*|--)")
"""A line of a comment, or an annotation, as it stands above a definition."""


def signature_width(before: str, language_id: str, lexicon: Lexicon) -> int | None:
    """Return the indentation of the signature after which `before` ends.

    Comments and blanks behind it do not count.

    None where it does not end after a signature whose body opens there.
    """
    head = _without_comments(before, lexicon)
    if language_id == "python":
        head = _DOCSTRING.sub("", head)
    if language_id != "ruby" and not head.endswith(("{", ":")):
        return None
    for pattern in _SIGNATURES.get(language_id, _UNKNOWN):
        match = _last(pattern, head)
        if match is not None:
            return width_of(match[0].lstrip("\r\n"))
    return None


def _last(pattern: re.Pattern[str], head: str) -> re.Match[str] | None:
    """Return the match that starts last: signatures nest, and the innermost one counts."""
    head = head[-_LONGEST_SIGNATURE:]
    line_starts = [0, *(match.end() for match in re.finditer("\n", head))]
    matches = (pattern.match(head, start) for start in reversed(line_starts[-_MOST_LINES:]))
    return next((match for match in matches if match is not None), None)


def _without_comments(before: str, lexicon: Lexicon) -> str:
    """Return `before` without the comments, blank lines and trailing blanks at its end."""
    while True:
        head = before.rstrip()
        head = _BLOCK_COMMENT.sub("", head)
        line = head[head.rfind("\n") + 1 :]
        if line and lexicon.line_comment.fullmatch(line):
            head = head[: len(head) - len(line)]
        if head == before:
            return head
        before = head


def wish(around: Nearby, lexicon: Lexicon) -> str | None:
    """Return the text of the comment that ends above the cursor's line, if it asks for code.

    The cursor's line must be blank, so that what was asked for has its place there.
    """
    line_before = around.line_before
    if line_before.strip() or around.line_after.strip():
        return None
    above = around.before[: len(around.before) - len(line_before)].rstrip("\r\n")
    if around.before.count("\n") - above.count("\n") > 1:
        return None
    text = _comment_at_end(above, lexicon)
    return text if text and _asks(text) else None


def _comment_at_end(above: str, lexicon: Lexicon) -> str:
    block = _BLOCK_COMMENT.search(above)
    if block is not None:
        return _COMMENT_EDGE.sub("", block[0]).strip()
    lines: list[str] = []
    for line in reversed(above.splitlines()):
        comment = lexicon.line_comment.fullmatch(line)
        if comment is None:
            break
        lines.insert(0, comment[1].strip())
    return "\n".join(lines).strip()


def _asks(text: str) -> bool:
    return _DIRECTIVE.match(text) is None and _WISH.match(text.lstrip("@-* ")) is not None


def block_at(snapshot: Snapshot, offset: int) -> Scope | None:
    """Return the innermost block around `offset` whose first line looks like a definition.

    A function is preferred to a class inside of it.
    """
    line = _behind_comments(snapshot, snapshot.lines.line_at(offset))
    found: Scope | None = None
    for header in range(line, max(line - LONGEST_BLOCK, -1), -1):
        match = _HEADER.match(snapshot.line(header))
        if match is None:
            continue
        last = _last_line(snapshot, header)
        if last < line or (last == header and not _is_one_line(snapshot, header)):
            continue
        kind = "class" if match["class"] else "function"
        name = match["name"] or match["assigned"]
        scope = _block_scope(snapshot, name, kind, _first_line(snapshot, header), last)
        if kind == "function":
            return scope
        found = found or scope
    return found


def _behind_comments(snapshot: Snapshot, line: int) -> int:
    """Return the line of the definition below the comment or annotation on this line.

    That is the line itself if nothing is defined below.
    """
    below, end = line, min(line + LONGEST_BLOCK, snapshot.lines.count)
    while below + 1 < end and _ABOVE.match(snapshot.line(below)):
        below += 1
    return below if _HEADER.match(snapshot.line(below)) else line


def _first_line(snapshot: Snapshot, header: int) -> int:
    """Return the first of the comments and annotations directly above the header."""
    first, end = header, max(header - LONGEST_BLOCK, 0)
    while first > end and _ABOVE.match(snapshot.line(first - 1)):
        first -= 1
    return first


def _is_one_line(snapshot: Snapshot, header: int) -> bool:
    """Return whether the definition ends on the line on which it begins."""
    pattern = _ONE_LINE.get(snapshot.language_id)
    return pattern is not None and pattern.match(snapshot.line(header)) is not None


def _block_scope(snapshot: Snapshot, name: str, kind: str, first: int, last: int) -> Scope:
    start, end = snapshot.lines.start(first), snapshot.lines.end(last, snapshot.text)
    return Scope(name, kind, start, end)


def _last_line(snapshot: Snapshot, header: int) -> int:
    """Return the line of the closing brace, else the last one indented further than the header."""
    lexicon = lexicon_of(snapshot.language_id)
    width = width_of(snapshot.line(header))
    braced = any(b.character == "{" for b in lex(snapshot.line(header), lexicon).opened)
    last = header
    for number in range(header + 1, min(header + LONGEST_BLOCK, snapshot.lines.count)):
        line = snapshot.line(number)
        if not line.strip():
            continue
        if width_of(line) <= width:
            closes = (braced or width_of(line) == width) and _END.match(line)
            # Its body begins only here: behind parameters of several lines, or on a line alone.
            opened = [bracket.character for bracket in lex(line, lexicon).opened]
            if not braced and opened[-1:] == ["{"] and (closes or line.strip() == "{"):
                braced = True
                continue
            return number if closes else last
        last = number
    return last
