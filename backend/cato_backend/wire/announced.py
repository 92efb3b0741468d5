"""How a test's prompt tells an emulated engine the length of its answer, and nobody else.

A router must not learn from `max_tokens` how long an answer will be: no person could have told it.
So a load test asks for as much as the task may need, and ends its prompt with these words; they
pass through any router, and a real engine takes them for text.
"""

from __future__ import annotations

import re

_OPEN = "<answer of "
_FORM = re.compile(r"<answer of (\d+) tokens>")


def announcement(tokens: int) -> str:
    """The words that end the prompt of an answer of so many tokens."""
    return f"<answer of {tokens} tokens>"


def announced(text: str) -> tuple[int, int] | None:
    """The length that a prompt announces, and where its answer begins in it, if it holds a part.

    None where it announces none.
    """
    found = _FORM.match(text, max(0, text.rfind(_OPEN)))
    return None if found is None else (int(found[1]), found.end())
