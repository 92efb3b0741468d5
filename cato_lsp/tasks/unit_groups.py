"""Units of a file joined to groups, where there are more than a task takes."""

from __future__ import annotations

from collections.abc import Sequence

from cato_lsp.syntax.units import Unit
from cato_lsp.text.snapshot import Snapshot

MOST_UNITS = 48
"""Of one task: the backend takes 64. Units of a larger file are joined."""


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
