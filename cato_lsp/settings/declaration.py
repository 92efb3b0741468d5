"""How a setting is declared: the metadata of a field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DECLARED = "setting"


@dataclass(frozen=True, slots=True)
class Declaration:
    """How a setting is read: its dotted name, its reader, its environment variable if any."""

    name: str
    read: Callable[[object], object]
    variable: str = ""


def setting(
    name: str, read: Callable[[object], object], variable: str = ""
) -> dict[str, Declaration]:
    """Return the metadata of a field that holds the setting `name`; the field has its default."""
    return {DECLARED: Declaration(name, read, variable)}
