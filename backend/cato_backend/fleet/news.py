"""The newest lines that the server told the person who runs it, kept for its page."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

_MOST = 200
_LONGEST = 500
"""Characters of a line that are kept: a replica's own words may be in it."""


class NewsItem(NamedTuple):
    """One line, and when it was told."""

    at: float
    """Seconds since the epoch."""
    text: str


class NewsLog:
    """Passes each line on, and keeps the newest. `clock` returns seconds since the epoch."""

    def __init__(self, pass_on: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._pass_on = pass_on
        self._clock = clock
        self._items: deque[NewsItem] = deque(maxlen=_MOST)

    def tell(self, text: str) -> None:
        """Tell one line."""
        self._items.append(NewsItem(self._clock(), text[:_LONGEST]))
        self._pass_on(text)

    def newest(self) -> Sequence[NewsItem]:
        """Return what is kept, the newest first."""
        return list(reversed(self._items))
