"""Says, while text streams in, when the syntactic unit that was asked for is complete."""

from __future__ import annotations

from cato_lsp.classify import Assignment, Extent
from cato_lsp.syntax.context import SyntaxContext


class Completeness:
    """Fed with the pieces of one answer, in order; knows when it has enough, and what to show."""

    def __init__(
        self, context: SyntaxContext, assignment: Assignment, *, max_lines: int = 40
    ) -> None:
        self._context = context
        self._extent = assignment.limits.extent
        self._max_lines = max_lines
        self._fed = ""

    def feed(self, delta: str) -> bool:
        """Takes the next piece. Returns True once nothing that follows can change `text()`."""
        self._fed += delta
        lines = self._fed.count("\n")
        return lines > 0 if self._extent is Extent.LINE else lines >= self._max_lines

    def text(self) -> str:
        """What to show of what was fed so far; empty where nothing is worth showing."""
        shown = self._fed.split("\n", 1)[0] if self._extent is Extent.LINE else self._fed
        return shown.rstrip()
