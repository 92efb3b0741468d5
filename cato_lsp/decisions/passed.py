"""What a person saw while they rested, and did not take: that speaks against it.

A person who rests reads what is shown, and takes it if it is what they want. One who types on,
though what they type is how it begins, probably knows that the rest is wrong. So it is shown again
only as far as it is surer than before.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

REST_S = 0.5
"""A person who does not type for so long has read what is shown."""
LEFT_THOUGH_RIGHT = 0.4
"""How likely a person types on though what is shown is right; nobody takes what is wrong."""
_REMEMBERED = 16


@dataclass(frozen=True, slots=True)
class _Left:
    """A suggestion that was not taken; `offset` is where it begins in the document."""

    offset: int
    text: str


class PassedOver:
    """The suggestions in one document that were not taken during a rest, the last ones."""

    def __init__(self) -> None:
        self._left: deque[_Left] = deque(maxlen=_REMEMBERED)

    def add(self, offset: int, text: str) -> None:
        """Take note that `text` was shown at `offset` during a rest, and not taken."""
        self._left.append(_Left(offset, text.rstrip()))

    def times(self, text: str, offset: int, rest: str) -> int:
        """Return how often a suggestion of `rest` at `offset` was passed over, or its beginning."""
        return sum(
            left.offset <= offset
            and f"{text[left.offset : offset]}{rest}".startswith(left.text)
            and len(left.text) > offset - left.offset
            for left in self._left
        )


def raised(least: float, times: int) -> float:
    """Return the least probability by which something is shown that was passed over so often."""
    if not 0 < least < 1:
        return least
    odds = least / (1 - least) / LEFT_THOUGH_RIGHT**times
    return odds / (1 + odds)
