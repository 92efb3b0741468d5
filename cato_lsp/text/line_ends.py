"""Line ends: engines and answers have LF, documents what their editors give them."""

from __future__ import annotations


def with_lf(text: str) -> str:
    """`text` with LF for every line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def at_lf(text: str, offset: int) -> tuple[str, int]:
    """The text with LF for every line end, and the same place in it."""
    return (with_lf(text), len(with_lf(text[:offset]))) if "\r" in text else (text, offset)


def length_of(wanted: str, text: str, offset: int) -> int | None:
    """How many characters at `offset` of a text are `wanted`, whose line ends are LF; None where
    it stands not there."""
    at = offset
    first, *others = wanted.split("\n")
    if not text.startswith(first, at):
        return None
    at += len(first)
    for line in others:
        end = _line_end(text, at)
        if not end or not text.startswith(line, at + end):
            return None
        at += end + len(line)
    return at - offset


def _line_end(text: str, at: int) -> int:
    if text.startswith("\r\n", at):
        return 2
    return int(text[at : at + 1] in ("\n", "\r") and at < len(text))
