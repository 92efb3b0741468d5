"""Selects the units of a task from a place or a range of a document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cato_backend.wire.tasks import TaskKind
from cato_lsp.decisions.imports import declarations
from cato_lsp.syntax.lexing import lexicon_of
from cato_lsp.syntax.parts import FileParts, definitions_in, parts_of
from cato_lsp.syntax.units import Unit, statements_around, unit_at
from cato_lsp.text.document import file_name
from cato_lsp.text.snapshot import Snapshot

MOST_UNITS = 48
"""Of one task: the backend takes 64. Units of a larger file are joined."""

MOST_FIXED_CHARS = 6000
"""Of code that is answered as a whole: as much as the 2048 tokens of an answer usually hold."""

_BEFORE_CHARS = 3000
"""Of the file before the place where code is generated."""

_CONTEXT_CHARS = 2000


class NothingSelected(ValueError):
    """There is nothing at the place for the task. The text says what is expected."""


def joined(snapshot: Snapshot, units: Sequence[Unit], most: int = MOST_UNITS) -> tuple[Unit, ...]:
    """Return at most `most` units: neighbours are joined if there are more."""
    if len(units) <= most:
        return tuple(units)
    size = -(-len(units) // most)
    groups = [units[at : at + size] for at in range(0, len(units), size)]
    return tuple(_group(snapshot, group) for group in groups)


def _group(snapshot: Snapshot, group: Sequence[Unit]) -> Unit:
    start, end = group[0].start, group[-1].end
    return Unit(names_of(group), "part", snapshot.text[start:end], start, end)


def few(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return the units. Raises NothingSelected where they are more than MOST_UNITS."""
    if len(units) > MOST_UNITS:
        raise NothingSelected(
            f"these are {len(units)} functions and classes, more than {MOST_UNITS}: select fewer"
        )
    return tuple(units)


def names_of(units: Sequence[Unit]) -> str:
    """Return a name for the units together."""
    names = [unit.name for unit in units if unit.name] or [units[0].kind]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


_OF_DEFINITIONS = (TaskKind.DOCUMENTATION, TaskKind.TESTS)
"""Tasks that are about definitions alone: what lies between them is left out."""


_WITH_CONTEXT = (TaskKind.TESTS, TaskKind.FIX)
"""Tasks that need to know what else the file declares, such as the class of a method."""


@dataclass(frozen=True, slots=True)
class TextRange:
    """A part of a document, in characters; an empty one is a place."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Selection:
    """`units` of a document in its order, what is called `name`, and what helps to read them."""

    units: tuple[Unit, ...]
    name: str
    context: str = ""
    instruction: str = ""


def select(
    snapshot: Snapshot, kind: TaskKind, chosen: TextRange | None, instruction: str = ""
) -> Selection:
    """Return the units of the range, of the definition at a place, or, for None, of the file.

    Raises NothingSelected.
    """
    if not snapshot.text.strip():
        raise NothingSelected("the file is empty")
    if kind is TaskKind.GENERATION:
        return _before(snapshot, chosen, instruction)
    if chosen is None:
        return _file(snapshot, kind)
    if kind is TaskKind.FIX:
        return _fixed(snapshot, chosen)
    if chosen.start == chosen.end:
        return _definition(snapshot, kind, chosen.start)
    return _range(snapshot, kind, chosen)


def _definition(snapshot: Snapshot, kind: TaskKind, offset: int) -> Selection:
    unit = unit_at(snapshot, offset)
    if unit is None:
        raise NothingSelected("there is no function or class at this place")
    if kind is TaskKind.TESTS and unit.kind == "method":
        # What tests can import and call is its class.
        unit = _around(snapshot, unit)
    return Selection((unit,), unit.name or unit.kind, _context_of(snapshot, kind))


def _around(snapshot: Snapshot, unit: Unit) -> Unit:
    """Return the definition of the file that holds the unit, else the unit itself."""
    outer = definitions_in(snapshot, 0, unit.start + 1, nested=False)
    return next((each for each in outer if each.end >= unit.end), unit)


def _range(snapshot: Snapshot, kind: TaskKind, chosen: TextRange) -> Selection:
    """Return the definitions that begin in the range if the task is about those, else its text."""
    text = snapshot.text[chosen.start : chosen.end]
    if not text.strip():
        raise NothingSelected("the selection is empty")
    if kind in _OF_DEFINITIONS:
        units = definitions_in(snapshot, chosen.start, chosen.end, nested=False)
        if not units:
            return _definition(snapshot, kind, chosen.start)
        return Selection(few(units), names_of(units), _context_of(snapshot, kind))
    return _selected(snapshot, chosen.start, chosen.end)


def _fixed(snapshot: Snapshot, chosen: TextRange) -> Selection:
    """Return the definition around the range or place, else the whole statements there.

    A fix of a part of a line would repeat what stands beside it.
    """
    text = snapshot.text[chosen.start : chosen.end]
    around = unit_at(snapshot, chosen.start)
    if around is not None and around.end >= chosen.start + len(text.rstrip()):
        return Selection((around,), around.name or around.kind, _context(snapshot))
    return _selected(snapshot, *_whole_statements(snapshot, chosen.start, chosen.end))


def _whole_statements(snapshot: Snapshot, start: int, end: int) -> tuple[int, int]:
    """Return the range widened to the whole lines that are fixed for it.

    These are the lines of the range, of the statements of the file that reach into them, and of
    the code above where all lines are blank. Statements are left out without a grammar, where it
    cannot read them, and where they are too long for one answer.
    """
    first, last = _with_code(snapshot, *_lines_of(snapshot, start, end))
    begin, behind = _span_of_lines(snapshot, *statements_around(snapshot, first, last))
    if behind - begin > MOST_FIXED_CHARS:
        return _span_of_lines(snapshot, first, last)
    return begin, behind


def _lines_of(snapshot: Snapshot, start: int, end: int) -> tuple[int, int]:
    """Return the first and the last line of a range.

    A range that ends at the start of a line does not touch it.
    """
    lines = snapshot.lines
    return lines.line_at(start), lines.line_at(max(start, end - 1))


def _span_of_lines(snapshot: Snapshot, first: int, last: int) -> tuple[int, int]:
    return snapshot.lines.start(first), snapshot.lines.end(last, snapshot.text)


def _with_code(snapshot: Snapshot, first: int, last: int) -> tuple[int, int]:
    """Return the lines, and the nearest ones above, else below, that make them hold any code."""
    while first > 0 and not _text_of_lines(snapshot, first, last).strip():
        first -= 1
    while last + 1 < snapshot.lines.count and not _text_of_lines(snapshot, first, last).strip():
        last += 1
    return first, last


def _text_of_lines(snapshot: Snapshot, first: int, last: int) -> str:
    start, end = _span_of_lines(snapshot, first, last)
    return snapshot.text[start:end]


def _selected(snapshot: Snapshot, start: int, end: int) -> Selection:
    first, last = (line + 1 for line in _lines_of(snapshot, start, end))
    unit = Unit("", "selection", snapshot.text[start:end], start, end)
    name = f"line {first}" if first == last else f"lines {first} to {last}"
    return Selection((unit,), name, _context(snapshot))


def _file(snapshot: Snapshot, kind: TaskKind) -> Selection:
    name = file_name(snapshot.uri)
    if kind is TaskKind.FIX:
        if len(snapshot.text) > MOST_FIXED_CHARS:
            raise NothingSelected(
                f"the file has {len(snapshot.text)} characters, more than the {MOST_FIXED_CHARS} "
                "that one fix may have: select the function or the lines to fix"
            )
        whole = Unit("", "file", snapshot.text, 0, len(snapshot.text))
        return Selection((whole,), name)
    if kind in _OF_DEFINITIONS:
        units = definitions_in(
            snapshot, 0, len(snapshot.text), nested=kind is TaskKind.DOCUMENTATION
        )
        if not units:
            raise NothingSelected("there is no function or class in this file")
        return Selection(few(units), name)
    parts: FileParts = parts_of(snapshot)
    if not parts.units:
        raise NothingSelected("there is nothing but imports in this file")
    return Selection(joined(snapshot, parts.units), name, parts.imports[:_CONTEXT_CHARS])


def _before(snapshot: Snapshot, chosen: TextRange | None, instruction: str) -> Selection:
    """Return what stands before the place, and what is wanted there.

    That is `instruction`, else the comment.
    """
    at = len(snapshot.text) if chosen is None else chosen.end
    line = snapshot.lines.line_at(at)
    end = snapshot.lines.end(line, snapshot.text)
    wanted = instruction.strip() or _comment_at(snapshot, line)
    if not wanted:
        raise NothingSelected("there is no comment at this place that says what to generate")
    start = snapshot.lines.start(snapshot.lines.line_at(max(0, end - _BEFORE_CHARS)))
    text = snapshot.text[start:end]
    if not text.strip():
        raise NothingSelected("there is no code before this place to fit in with")
    unit = Unit("", "code", text, start, end)
    return Selection((unit,), f'"{_short(wanted)}"', _context(snapshot), wanted)


def _comment_at(snapshot: Snapshot, line: int) -> str:
    """Return the text of the line comments that end with this line, or above it if it is blank."""
    lexicon = lexicon_of(snapshot.language_id)
    if line > 0 and not snapshot.line(line).strip():
        line -= 1
    lines: list[str] = []
    while line >= 0 and (found := lexicon.line_comment.fullmatch(snapshot.line(line))):
        lines.insert(0, found[1].strip())
        line -= 1
    return "\n".join(lines).strip()


def _context_of(snapshot: Snapshot, kind: TaskKind) -> str:
    return _context(snapshot) if kind in _WITH_CONTEXT else ""


def _context(snapshot: Snapshot) -> str:
    return declarations(snapshot, frozenset())[:_CONTEXT_CHARS]


def _short(text: str) -> str:
    first = text.splitlines()[0]
    return first if len(first) <= 40 else f"{first[:37]}..."
