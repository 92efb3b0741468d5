"""Prompts of calibrations: lines of code-like words that no cache has seen."""

from __future__ import annotations

import random
from itertools import islice

_WORDS = (
    "value", "index", "count", "name", "list", "data", "item", "result", "total", "size", "key",
    "node", "path", "file", "line", "text", "table", "field", "state", "event", "time", "user",
    "group", "order", "level", "point", "start", "end", "left", "right", "first", "last",
)  # fmt: skip
_WORDS_A_LINE = 8


class ProbeTexts:
    """Of one calibration. `salt` makes them unlike those of any other."""

    def __init__(self, salt: str) -> None:
        self._salt = salt

    def text(self, prompt: int, chars: int) -> str:
        """The first `chars` characters of prompt number `prompt`: longer ones begin alike."""
        dice = random.Random(f"{self._salt} {prompt}")
        pieces: list[str] = []
        length = 0
        while length < chars:
            words = islice(iter(lambda: dice.choice(_WORDS), None), _WORDS_A_LINE)
            pieces.append(" ".join(words) + "\n")
            length += len(pieces[-1])
        return "".join(pieces)[:chars]
