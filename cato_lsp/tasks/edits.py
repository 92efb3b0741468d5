"""Converts a task's result to edits of its document."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from cato_backend.wire.tasks import TaskKind
from cato_lsp.backend.task_answers import UnitAnswer
from cato_lsp.syntax import open_document
from cato_lsp.syntax.nearby import indentation_of
from cato_lsp.syntax.parts import parts_of
from cato_lsp.syntax.units import Unit, relocated, syntax_errors
from cato_lsp.tasks.docstrings import Insertion, documentation
from cato_lsp.text.snapshot import Snapshot

_ALL_ERRORS = 10_000
_STATEMENT = re.compile(r"(?m)^([ \t]*)[^\s)\]}]")
"""The indentation and first character of a line that closes no bracket."""
_LEADING = re.compile(r"\s*(?:^(?:#\[|//)[^\n]*\s*)*\Z", re.MULTILINE)
"""Attributes of Rust and comments at the end, which belong to the statement that follows."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The parts of a result that have a place in its document.

    `edits` stand in the document's order, with LF. `left_out`: for each unit whose answer is not
    among them though it is complete, why.
    """

    edits: tuple[Insertion, ...] = ()
    left_out: tuple[str, ...] = ()


def edits_of(
    kind: TaskKind,
    units: Sequence[Unit],
    answers: Sequence[UnitAnswer],
    before: Snapshot,
    snapshot: Snapshot,
) -> Placed:
    """Return the edits that bring answers into the document as it is now.

    The answers are to the units of `before`.

    A unit that has moved since is found again. An answer with a problem is left to be read. There
    are no edits for a task whose result has no place in the document.
    """
    make = _MAKERS.get(kind)
    if make is None:
        return Placed()
    edits: list[Insertion] = []
    left_out: list[str] = []
    for unit, answer in zip(units, answers, strict=True):
        if answer.problem or not answer.text.strip():
            continue
        name = unit.name or unit.kind
        now = relocated(unit, before, snapshot)
        edit = None if now is None else make(snapshot, now, answer.text)
        if now is None:
            left_out.append(f"the code of {name} was changed meanwhile: ask again")
        elif edit is not None and kind is TaskKind.FIX and _breaks(snapshot, edit):
            left_out.append(f"the fix of {name} would bring new syntax errors: it is not applied")
        elif edit is not None:
            edits.append(edit)
    return Placed(tuple(sorted(edits, key=lambda edit: edit.start)), tuple(left_out))


def _breaks(snapshot: Snapshot, edit: Insertion) -> bool:
    """Return whether the document has more syntax errors after the edit.

    It is False without a grammar.
    """
    text = applied(snapshot.text, [edit])
    after = open_document(snapshot.uri, snapshot.language_id, 1, text).snapshot()
    before, now = (len(syntax_errors(each, _ALL_ERRORS)) for each in (snapshot, after))
    return now > before


def applied(text: str, edits: Sequence[Insertion]) -> str:
    """Return the text after the edits, which stand in order; its line ends are kept."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    parts: list[str] = []
    at = 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text.replace("\n", line_end)]
        at = edit.end
    return "".join([*parts, text[at:]])


def _documented(snapshot: Snapshot, unit: Unit, text: str) -> Insertion | None:
    return documentation(snapshot, unit, text)


def _replaced(snapshot: Snapshot, unit: Unit, text: str) -> Insertion:
    """Replace the unit, but keep its indentation and the white space around it."""
    body = unit.text.strip()
    start = unit.start + unit.text.index(body)
    indentation = indentation_of(snapshot.line(snapshot.lines.line_at(start)))
    fixed = indented(text, indentation).strip()
    return Insertion(start, start + len(body), fixed)


def _inserted(snapshot: Snapshot, unit: Unit, text: str) -> Insertion:
    """Insert on the lines behind the unit, or instead of its last one if that is blank.

    The indentation is that of this line, else of the last one with code.
    """
    line_start = snapshot.lines.start(snapshot.lines.line_at(unit.end))
    line = snapshot.text[line_start : unit.end]
    with_code = unit.text.rstrip().rpartition("\n")[2]
    if line.strip():
        return Insertion(unit.end, unit.end, "\n" + indented(text, indentation_of(line)).rstrip())
    indentation = line or indentation_of(with_code)
    return Insertion(line_start, unit.end, indented(text, indentation).rstrip())


def indented(text: str, indentation: str) -> str:
    """Return the text with this indentation instead of what its lines have in common."""
    return textwrap.indent(textwrap.dedent(text.strip("\n")), indentation)


_MAKERS = {
    TaskKind.SUMMARIZATION: _documented,
    TaskKind.DOCUMENTATION: _documented,
    TaskKind.FIX: _replaced,
    TaskKind.GENERATION: _inserted,
}

_TEST_FILES = {
    "python": "test_{stem}.py",
    "go": "{stem}_test.go",
    "java": "{stem}Test.java",
    "csharp": "{stem}Tests.cs",
    "php": "{stem}Test.php",
}
_JS_SUFFIX = re.compile(r"\.[cm]?[jt]sx?$")


def test_file_name(name: str, language_id: str) -> str:
    """Return what the file of the tests of the file `name` is usually called."""
    stem, dot, suffix = name.rpartition(".")
    stem = stem or name
    if _JS_SUFFIX.search(name):
        return f"{stem}.test.{suffix}"
    pattern = _TEST_FILES.get(language_id)
    return pattern.format(stem=stem) if pattern else f"{stem}_test{dot}{suffix if dot else ''}"


def with_imports(text: str, names: Sequence[str], name: str, language_id: str) -> str:
    """Return Python tests that import what they test from the file `name`.

    The model may have made up another module. Tests of other languages are returned as they are.
    """
    module = name.removesuffix(".py")
    wanted = [tested for tested in names if re.search(rf"\b{re.escape(tested)}\b", text)]
    if language_id != "python" or not wanted or not module.isidentifier():
        return text
    some = "|".join(map(re.escape, wanted))
    own = re.compile(rf"(?m)^from\s+\S+(?=\s+import\s+(?:.*\b)?(?:{some})\b)")
    if own.search(text):
        return own.sub(f"from {module}", text)
    if re.search(rf"(?m)^(?:async\s+)?(?:def|class)\s+(?:{some})\b", text):
        # The tests hold a copy of what they test.
        return text
    return f"from {module} import {', '.join(wanted)}\n\n{text}"


def before_cut(text: str, language_id: str) -> str:
    """Return the statements before the one at which tests were cut off.

    Whole tests are kept where there are any. Else, in Python, whole methods of a class that was cut
    off are kept, or whole statements of a function. It is empty if only imports would be kept, or
    if the language has no grammar.
    """
    found = ((len(each[1].expandtabs()), each.start()) for each in _STATEMENT.finditer(text))
    starts = [(depth, start) for depth, start in found if language_id == "python" or not depth]
    for _, start in sorted(starts, key=lambda place: (place[0], -place[1])):
        kept = _LEADING.sub("", text[:start])
        snapshot = open_document("cato:tests", language_id, 1, kept).snapshot()
        if _is_whole(snapshot) and parts_of(snapshot).units:
            return f"{kept}\n"
    return ""


def _is_whole(snapshot: Snapshot) -> bool:
    if snapshot.tree is None or syntax_errors(snapshot):
        return False
    if snapshot.language_id != "python":
        return True
    # The grammar accepts functions and classes without a body.
    try:
        ast.parse(snapshot.text)
    except (SyntaxError, ValueError):
        return False
    return True
