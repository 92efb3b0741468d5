"""Putting the translations of units together into one file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType

_IMPORTS = MappingProxyType(
    {
        "c": re.compile(r"#include\b.*"),
        "cpp": re.compile(r"(?:#include\b.*|using namespace\b.*)"),
        "csharp": re.compile(r"using [\w.= ]+;.*"),
        "go": re.compile(r"(?:package \w+|import (?:\w+ )?\"[^\"]+\").*"),
        "java": re.compile(r"(?:package|import) [\w.* ]+;.*"),
        "javascript": re.compile(
            r"(?:import\b.*|(?:const|let|var) [\w{}, :]+ = require\([^)]*\);?"
            r"|[\"']use strict[\"'];?)"
        ),
        "kotlin": re.compile(r"(?:package|import) [\w.*]+.*"),
        "php": re.compile(
            r"(?:<\?php|declare\(.*\);|namespace [\w\\]+;|use [\w\\, {}]+;"
            r"|require(?:_once)?\b.*;).*"
        ),
        "python": re.compile(r"(?:import [\w., ]+|from [\w.]+ import [\w*, ]+)"),
        "ruby": re.compile(r"require(?:_relative)?\b.*"),
        "rust": re.compile(r"use [\w:*{}, ]+;.*"),
        "scala": re.compile(r"(?:package|import) [\w.*{}, ]+.*"),
        "swift": re.compile(r"import \w+.*"),
    }
)
"""Whole lines that belong to the top of a file, each once."""
_LIKE = MappingProxyType(
    {
        "javascriptreact": "javascript",
        "typescript": "javascript",
        "typescriptreact": "javascript",
    }
)
_GO_GROUP = re.compile(r"(?m)^import \(\n((?:[ \t]*(?:\w+ )?\"[^\"]+\"[ \t]*\n)*)\)[ \t]*\n?")
_FIRST = (
    "<?php",
    "declare(",
    "namespace ",
    "package ",
    "from __future__ ",
    '"use strict"',
    "'use strict'",
)
"""What stands before all imports, in this order."""
_PYTHON_STRING = re.compile(
    r"#[^\n]*|(?P<long>\"{3}|'{3})(?:\\.|(?!(?P=long)).)*(?:(?P=long)|\Z)"
    r"|(?P<short>[\"'])(?:\\.|(?!(?P=short))[^\n])*",
    re.DOTALL,
)
"""A comment or a string; lines that begin inside one are no statements."""


def assembled(units: Sequence[str], language: str) -> str:
    """Return the units one after another.

    Of several units, what they import stands at the top, each line once.
    """
    present = [unit for unit in units if unit.strip()]
    if len(present) < 2:
        return "".join(present)
    pattern = _IMPORTS.get(_LIKE.get(language, language))
    if pattern is None:
        return "\n\n".join(present)
    imports: dict[str, None] = {}
    quoted = _PYTHON_STRING if language == "python" else None
    bodies = [_without_imports(_ungrouped(unit), pattern, imports, quoted) for unit in present]
    head = sorted(imports, key=_rank)
    return "\n\n".join(part for part in ("\n".join(head), *bodies) if part)


def _rank(line: str) -> int:
    """Return its place in `_FIRST`, else behind all of that."""
    return next((n for n, start in enumerate(_FIRST) if line.startswith(start)), len(_FIRST))


def _without_imports(
    unit: str,
    pattern: re.Pattern[str],
    imports: dict[str, None],
    quoted: re.Pattern[str] | None,
) -> str:
    """Return the unit without the imports that are not indented, which are added to `imports`.

    `quoted`: what is searched for lines that only look like imports.
    """
    inside = _lines_inside(unit, quoted) if quoted else set[int]()
    kept: list[str] = []
    for number, line in enumerate(unit.split("\n")):
        if number not in inside and pattern.fullmatch(line.rstrip()):
            imports[line.rstrip()] = None
        else:
            kept.append(line)
    return "\n".join(kept).strip("\n")


def _lines_inside(unit: str, quoted: re.Pattern[str]) -> set[int]:
    """Return the numbers of the lines that begin inside of what is quoted."""
    found: set[int] = set()
    for match in quoted.finditer(unit):
        first = unit.count("\n", 0, match.start())
        found.update(range(first + 1, first + 1 + match[0].count("\n")))
    return found


def _ungrouped(unit: str) -> str:
    """Go's grouped imports as single ones."""

    def single(group: re.Match[str]) -> str:
        return "".join(f"import {line.strip()}\n" for line in group[1].splitlines())

    return _GO_GROUP.sub(single, unit)
