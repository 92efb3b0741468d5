"""From a task's result to edits of its document."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from cato_backend.wire.tasks import TaskKind
from cato_lsp.syntax.nearby import indentation_of
from cato_lsp.syntax.units import Unit
from cato_lsp.tasks.docstrings import Insertion, documentation
from cato_lsp.tasks.selection import relocated
from cato_lsp.text.snapshot import Snapshot


class Outdated(Exception):
    """The document was changed where the result belongs. The text says which part."""


def edits_of(
    kind: TaskKind, units: Sequence[Unit], texts: Sequence[str], snapshot: Snapshot
) -> tuple[Insertion, ...]:
    """Returns the edits, with LF, that bring the result into the document, in its order.

    A unit that has moved since is found again. None for a task whose result has no place there.
    Raises Outdated for a unit that was edited meanwhile.
    """
    make = _MAKERS.get(kind)
    if make is None:
        return ()
    found: list[Insertion] = []
    for unit, text in zip(units, texts, strict=True):
        if not text.strip():
            continue
        now = relocated(unit, snapshot)
        if now is None:
            raise Outdated(f"the code of {unit.name or unit.kind} was changed meanwhile")
        edit = make(snapshot, now, text)
        found += [] if edit is None else [edit]
    return tuple(sorted(found, key=lambda edit: edit.start))


def applied(text: str, edits: Sequence[Insertion]) -> str:
    """Returns the text after the edits, which stand in order; its line ends are kept."""
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
    """The unit's own white space around it stays, and its indentation."""
    body = unit.text.strip()
    start = unit.start + unit.text.index(body)
    indentation = indentation_of(snapshot.line(snapshot.lines.line_at(start)))
    fixed = indented(text, indentation).strip()
    return Insertion(start, start + len(body), fixed)


def _inserted(snapshot: Snapshot, unit: Unit, text: str) -> Insertion:
    """On the lines behind the unit, at the indentation of its last one."""
    line = snapshot.line(snapshot.lines.line_at(unit.end))
    return Insertion(unit.end, unit.end, "\n" + indented(text, indentation_of(line)).rstrip())


def indented(text: str, indentation: str) -> str:
    """Returns the text with this indentation in place of what its lines have in common."""
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
    """Returns what the file of the tests of the file `name` is usually called."""
    stem, dot, suffix = name.rpartition(".")
    stem = stem or name
    if _JS_SUFFIX.search(name):
        return f"{stem}.test.{suffix}"
    pattern = _TEST_FILES.get(language_id)
    return pattern.format(stem=stem) if pattern else f"{stem}_test{dot}{suffix if dot else ''}"


def with_imports(text: str, names: Sequence[str], name: str, language_id: str) -> str:
    """Returns Python tests that import what they test from the file `name`, whatever module the
    model made up; other languages' tests as they are."""
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
