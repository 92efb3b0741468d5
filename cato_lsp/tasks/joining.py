"""The pieces of a task's answer, joined while they come as its result will be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from cato_backend.wire.tasks import TaskKind, heading
from cato_lsp.backend.answers import TaskProgress
from cato_lsp.syntax.units import Unit

_HEADS = MappingProxyType(
    {
        TaskKind.SUMMARIZATION: "**{}**: ",
        TaskKind.DOCUMENTATION: "**{}**\n\n",
        TaskKind.EXPLANATION: "## {}\n\n",
    }
)
"""What stands before the text of one of several units."""
_BETWEEN = "\n\n"


class TextListener(Protocol):
    """Who is told how a task gets on: an editor's progress, a terminal."""

    def report(self, progress: TaskProgress) -> None:
        """Take a report of how far the work is."""
        ...

    def delta(self, text: str) -> None:
        """Take more of the result."""
        ...

    def restart(self, text: str) -> None:
        """Discard the pieces so far; the result begins with `text`."""
        ...


@dataclass(frozen=True, slots=True)
class _Piece:
    """`said`: what the backend sent; `shown`: the same with what leads up to it."""

    unit: int | None
    said: str
    shown: str


class JoinedText:
    """The text of a task as a listener is told it: units stand under their names."""

    def __init__(self, kind: TaskKind, units: Sequence[Unit], listener: TextListener) -> None:
        self._head = _HEADS.get(kind, "")
        self._names = [heading(unit.name, unit.kind) for unit in units]
        self._listener = listener
        self._pieces: list[_Piece] = []

    def report(self, progress: TaskProgress) -> None:
        """Pass on how far the work is."""
        self._listener.report(progress)

    def delta(self, text: str, unit: int | None) -> None:
        """Take a piece of the unit of this index; None: of what is said about all of them."""
        shown = self._lead(unit) + text
        self._pieces.append(_Piece(unit, text, shown))
        self._listener.delta(shown)

    def restart(self, text: str) -> None:
        """Discard the pieces so far, but for those that `text` consists of."""
        kept: list[_Piece] = []
        rest = text
        while rest and self._pieces and rest.startswith(self._pieces[0].said):
            kept.append(self._pieces.pop(0))
            rest = rest[len(kept[-1].said) :]
        self._pieces = kept if not rest else [_Piece(None, text, text)]
        self._listener.restart("".join(piece.shown for piece in self._pieces))

    def _lead(self, unit: int | None) -> str:
        """Return what comes between the last piece and one of another unit."""
        if len(self._names) < 2 or (self._pieces and self._pieces[-1].unit == unit):
            return ""
        between = _BETWEEN if self._pieces else ""
        if unit is None or unit >= len(self._names):
            return between
        return between + self._head.format(self._names[unit])
