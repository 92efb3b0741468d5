"""What of a finished answer is shown: nothing twice, nothing that stands there already."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cato_lsp.syntax.nearby import is_word

REPEATS = 3
LONGEST_CYCLE = 4
_SHORTEST_DUPLICATE = 4
_ENDS_BLOCK = re.compile(
    r"(?:#\s*endif\b.*|end\w*|done|esac|</[\w.:-]*>|\W*(?:null|nil|None|true|false|0)\W*)[);,]*",
    re.IGNORECASE,
)
"""A line that is often followed by its like."""
_ENDS_IN_REPEATS = re.compile(r"\b(\w+(?:[^\w\n]+\w+){0,3})([^\w\n]+)(?:\1\2)+\1[,;\s]*\Z")
"""One to four words, at least three times, up to the end."""
_LONGEST_RUN = 300
"""Characters at the end that are searched for it."""


def without_overlap(text: str, after: str) -> str:
    """`text` without the longest end that `after` begins with.

    A word is never split: `a` before `and` stays.
    """
    for length in range(min(len(text), len(after)), 0, -1):
        if text.endswith(after[:length]) and _at_word_ends(text, after, length):
            return text[:-length].rstrip()
    return text


def before_word(text: str, shown: str) -> str:
    """`shown`, the beginning of `text`, as it fits in front of a word: with the blank that parts
    them; nothing where they would become one word."""
    blank = text[len(shown) : len(shown) + 1]
    if shown and blank in (" ", "\t"):
        return f"{shown}{blank}"
    return "" if is_word(shown[-1:]) else shown


def _at_word_ends(text: str, after: str, length: int) -> bool:
    splits_text = _in_word(text[-length - 1 : -length], text[-length])
    splits_after = _in_word(after[length - 1], after[length : length + 1])
    return not splits_text and not splits_after


def _in_word(left: str, right: str) -> bool:
    return is_word(left) and is_word(right)


def duplicates(line: str, next_line: str) -> bool:
    """Whether `line` says what the next line of the document says; what only closes does not."""
    line = line.strip()
    long_enough = len(line) >= _SHORTEST_DUPLICATE and any(map(is_word, line))
    return long_enough and line == next_line.strip() and not _ENDS_BLOCK.fullmatch(line)


def without_repeats(text: str) -> str:
    """`text` up to the first repeat where it ends in repeats within a line: a model that begins to
    say the same again seldom ends. A list that is closed behind them is left as it is."""
    found = _ENDS_IN_REPEATS.search(text, max(0, len(text) - _LONGEST_RUN))
    return text if found is None else text[: found.end(1)]


def unrepeated(lines: Sequence[str]) -> int | None:
    """How many of `lines` to keep where they end in a cycle of repeated lines; None where not."""
    for cycle in range(1, LONGEST_CYCLE + 1):
        tail = [line.strip() for line in lines[-cycle * REPEATS :]]
        whole = len(tail) == cycle * REPEATS and any(map(is_word, "".join(tail)))
        if whole and tail == tail[:cycle] * REPEATS:
            return len(lines) - cycle * (REPEATS - 1)
    return None
