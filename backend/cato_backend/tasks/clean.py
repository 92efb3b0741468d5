"""What models wrap around an answer, and taking it off."""

from __future__ import annotations

import re

_FENCED = re.compile(
    r"^([ \t]*)(`{3,}|~{3,})[^\n`]*\n(.*?)(?:\n(?:\1)?\2[ \t]*(?:\n|$)|\Z)", re.S | re.M
)
"""A fence that is indented further than the first one belongs to the block."""
_COMMENT_LINE = re.compile(r"(?m)^[ \t]*(?:\*(?!\*)|#|//+|--)[ \t]?")
_OPENER = re.compile(r'^\s*(?:/\*+|"""|\'\'\')\s?')
_CLOSER = re.compile(r'\s*(?:\*+/|"""|\'\'\')\s*$')


def without_fences(text: str) -> str:
    """The content of the first fenced block; the text itself where there is none. A block whose
    end is missing reaches to the end."""
    found = _FENCED.search(text)
    return found[3] if found else text


def without_own_fence(text: str) -> str:
    """The content of the fenced block that the text begins with; the text itself where it begins
    otherwise: a block further on is an example."""
    found = _FENCED.match(text)
    return found[3] if found else text


def without_comment_marks(text: str) -> str:
    """The prose of a comment or docstring: no opener, no closer, no mark before each line."""
    inner, opened = _OPENER.subn("", text)
    lines = _CLOSER.sub("", inner).split("\n")
    # The first line follows what the prompt held of the comment, unless the answer opened its own.
    marked = [line for line in (lines if opened else lines[1:]) if line.strip()]
    if marked and all(_COMMENT_LINE.match(line) for line in marked):
        lines = [_COMMENT_LINE.sub("", line) for line in lines]
    return "\n".join(line.strip() for line in lines).strip()


def cut_at(text: str, stops: tuple[str, ...]) -> str:
    """The text up to the first of `stops`, for engines that know no stop strings."""
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text
