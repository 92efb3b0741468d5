"""The parts in which answers are judged whose engine does not tell how sure it is."""

from __future__ import annotations

import re

PART = re.compile(r"\s*(?:\w{1,5}|[^\w\s])")
"""About a token. White space is not judged by itself."""


def parts_in(text: str) -> int:
    """Return how many parts a text has."""
    return len(PART.findall(text))
