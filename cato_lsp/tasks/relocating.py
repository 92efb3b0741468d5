"""Finds a unit of an earlier version of a document again."""

from __future__ import annotations

from dataclasses import replace

from cato_lsp.syntax.units import Unit
from cato_lsp.text.snapshot import Snapshot


def relocated(unit: Unit, before: Snapshot, now: Snapshot) -> Unit | None:
    """Returns the unit of the snapshot `before` where it stands in `now`.

    Returns None where its text, or what stands beside it on its first and last line, was edited,
    and where it moved and it cannot be told from another piece of the same text.
    """
    beside = _beside(before.text, unit.start, unit.end)
    start = unit.start
    if now.text[start : unit.end] != unit.text or _beside(now.text, start, unit.end) != beside:
        start = _only_place(now.text, unit.text)
        if start < 0 or _only_place(before.text, unit.text) != unit.start:
            return None
        if _beside(now.text, start, start + len(unit.text)) != beside:
            return None
    return _moved(unit, start - unit.start)


def _beside(text: str, start: int, end: int) -> tuple[str, str]:
    """What stands on the line before `start` and behind `end`, without white space around it."""
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    # A unit that holds its last line end has nothing behind it: what follows is another line.
    is_closed = text[start:end].endswith("\n")
    behind = "" if is_closed else text[end : line_end if line_end >= 0 else len(text)]
    return text[line_start:start].strip(), behind.strip()


def _only_place(text: str, words: str) -> int:
    """The offset of the one place of `words`; -1 where there is none, or another."""
    start = text.find(words)
    return start if text.find(words, start + 1) < 0 else -1


def _moved(unit: Unit, by: int) -> Unit:
    docstring = unit.docstring and (unit.docstring[0] + by, unit.docstring[1] + by)
    return replace(unit, start=unit.start + by, end=unit.end + by, docstring=docstring)
