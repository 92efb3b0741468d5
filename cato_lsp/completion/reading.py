"""Follows one answer for one question: what is shown of it, and when it has been read enough."""

from __future__ import annotations

import re

from cato_lsp.completion.enough import Completeness

_NEXT_LINE = re.compile(r"[ \t]*\n\s*\S[^\n]*\n")


class Reading:
    """Fed with the pieces of an answer, in order."""

    def __init__(self, completeness: Completeness) -> None:
        self._completeness = completeness
        self._read = ""
        self._most_lines: int | None = None
        self.complete = False
        """Whether nothing that follows can change what is shown."""

    @property
    def showable(self) -> bool:
        """Whether there is a whole line to show, though there may be more to come."""
        return self.complete or self._completeness.has_lines

    def feed(self, delta: str) -> bool:
        """Returns whether the answer has been read enough.

        Where it has nothing for the cursor's line, that is after the line that comes next: the
        person will end theirs, and ask for it.
        """
        self._read += delta
        self.complete = self.complete or self._completeness.feed(delta)
        if self._most_lines is not None and self._read.count("\n") >= self._most_lines:
            return True
        if not self.complete:
            return False
        only_ends_line = self._read.lstrip(" \t").startswith("\n") and not self.text()
        return not only_ends_line or _NEXT_LINE.match(self._read) is not None

    def settle_for(self, more_lines: int) -> None:
        """What came so far is shown: so many more lines are enough, in case the person types on."""
        self._most_lines = self._read.count("\n") + more_lines

    def text(self, *, truncated: bool = False) -> str:
        """What to show of what was fed so far. `truncated`: its last line is a fragment."""
        return self._completeness.text(truncated=truncated)
