"""Endless repetition in an answer: small models fall into it, and never come out again."""

from __future__ import annotations

_LONGEST_PERIOD = 400
"""Characters. A longer piece that repeats itself is hardly seen within a task's limits."""
_SHORT_PERIOD = 8
"""Shorter pieces repeat themselves in good code, too: rules of dashes, tables of numbers."""
_SHORT_LENGTH, _SHORT_LENGTH_OF_WORDS = 200, 100
_LEAST_LENGTH = 60
_REPEATS = 4
_REPEATS_OF_LONG = 3
_LONG_PERIOD = 100


def repetition_start(text: str) -> int | None:
    """Where the end of the text begins to repeat itself: behind the first occurrence of what is
    repeated. None where it does not."""
    for period in range(1, min(_LONGEST_PERIOD, len(text) // _REPEATS_OF_LONG) + 1):
        if _is_periodic(text, period):
            start = _start(text, period)
            return start + period if len(text) - start >= _least(text[-period:]) else None
    return None


def _least(piece: str) -> int:
    """How much of the text must consist of this piece, so that it is a loop."""
    if len(piece) >= _SHORT_PERIOD:
        return _LEAST_LENGTH
    has_words = any(character.isalpha() for character in piece)
    return _SHORT_LENGTH_OF_WORDS if has_words else _SHORT_LENGTH


def _is_periodic(text: str, period: int) -> bool:
    """Whether the end of the text, as much of it as a loop must have, repeats this many
    characters."""
    if not text.endswith(text[-1 - period]):
        return False
    repeats = _REPEATS if period < _LONG_PERIOD else _REPEATS_OF_LONG
    length = max(_LEAST_LENGTH, repeats * period)
    return len(text) >= length and text[-length + period :] == text[-length:-period]


def _start(text: str, period: int) -> int:
    """Where the periodic end of the text begins."""
    start = len(text) - period
    while start > 0 and text[start - 1] == text[start - 1 + period]:
        start -= 1
    return start
