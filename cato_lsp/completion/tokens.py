"""What a model said, token by token, and how sure it was of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple


class Token(NamedTuple):
    """A piece of an answer."""

    text: str
    logprob: float | None = None
    """Of its probability; None where the server does not tell."""


def merged(tokens: Sequence[Token]) -> Token:
    """All of them as one."""
    told = [token.logprob for token in tokens if token.logprob is not None]
    return Token("".join(token.text for token in tokens), sum(told) if told else None)


def behind(tokens: Iterable[Token], offset: int) -> Iterator[Token]:
    """The tokens behind so many characters. Whoever typed the beginning of one typed the rest of
    it in mind, too: what is left of it is taken for certain."""
    for token in tokens:
        if offset >= len(token.text):
            offset -= len(token.text)
        elif offset:
            sure = None if token.logprob is None else 0.0
            yield Token(token.text[offset:], sure)
            offset = 0
        else:
            yield token
