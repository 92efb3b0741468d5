"""The mark at the end of a load test's prompt that tells an emulated engine the answer's length.

A router must not learn from `max_tokens` how long an answer will be: no person could have told it.
So a load test asks for as much as the task may need, and ends its prompt with these words; they
pass through any router, and a real engine takes them for text.
"""

from __future__ import annotations

import re

_OPEN = "<answer of "
_FORM = re.compile(r"<answer of (\d+) tokens>")


def length_marker(tokens: int) -> str:
    """Return the words that end the prompt of an answer of this length."""
    return f"<answer of {tokens} tokens>"


def marked_length(text: str) -> tuple[int, int] | None:
    """Return the marked length, and the index in the text where a part of the answer may begin.

    Returns None where there is no mark.
    """
    found = _FORM.match(text, max(0, text.rfind(_OPEN)))
    return None if found is None else (int(found[1]), found.end())
