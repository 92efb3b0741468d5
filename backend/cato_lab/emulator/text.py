"""The text of an emulated model: a function of the prompt alone.

So a prompt that already holds the first tokens of an answer is answered with the rest of it, on
this replica or on any other: a stream can be resumed elsewhere, unseen.

A length marker at the end of a load test's prompt tells an emulated engine the answer's length. A
router must not learn it from `max_tokens`: no person knows it in advance. A load test asks for
as much as the task may need and ends its prompt with these words, which pass through any router; a
real engine takes them for text.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, TypeAlias

from cato_lab.emulator.tokenizer import EOS, Tokenizer

_OPEN = "<answer of "

_FORM = re.compile(r"<answer of (\d+) tokens>")

_WORDS = (
    " value", " = ", "total", "(", "x", ")", "\n    ", "return ", "self", ".", "count",
    " + ", "1", "\n", "if ", "items", ":", "\n        ", "name", ", ", "not ", "data", "[0]",
)  # fmt: skip


def length_marker(tokens: int) -> str:
    """Return the words that end the prompt of an answer of this length."""
    return f"<answer of {tokens} tokens>"


def marked_length(text: str) -> tuple[int, int] | None:
    """Return the marked length, and the index in the text where a part of the answer may begin.

    Returns None where there is no mark.
    """
    found = _FORM.match(text, max(0, text.rfind(_OPEN)))
    return None if found is None else (int(found[1]), found.end())


class EmittedToken(NamedTuple):
    """One token of an answer."""

    token: int
    logprob: float = 0.0
    """Logarithm of the token's probability by the model."""
    other: int | None = None
    """An alternative token for samples; None where there is none."""


TextSource: TypeAlias = Callable[[list[int]], Iterator[EmittedToken]]
"""From a prompt's token ids to the answer, ending with EOS where the text has an end."""


def pseudo_code(text: str, tokenizer: Tokenizer, seed: int = 0) -> Iterator[int]:
    """Yield tokens that look like code and never end."""
    tokens = [tokenizer.encode(word)[0] for word in _WORDS]
    spelled = [tokenizer.decode([token]).encode() for token in tokens]
    state = zlib.crc32(text.encode(), seed)
    while True:
        choice = state % len(tokens)
        state = zlib.crc32(spelled[choice], state)
        yield tokens[choice]


class PseudoCode:
    """A text source without end.

    Every answer is as long as `max_tokens` or the stops allow, or as its prompt announces (`cato
    load --lengths announced`).
    """

    def __init__(self, tokenizer: Tokenizer | None = None, seed: int = 0) -> None:
        self._tokenizer, self._seed = tokenizer or Tokenizer(), seed

    def __call__(self, prompt: list[int]) -> Iterator[EmittedToken]:
        """Return tokens without end, or as many as the prompt announces."""
        text = self._tokenizer.decode(prompt)
        endless = map(EmittedToken, pseudo_code(text, self._tokenizer, self._seed))
        found = marked_length(text)
        if found is None:
            return endless
        tokens, begin = found
        said = len(prompt) - len(self._tokenizer.encode(text[:begin]))
        left = tokens - said
        return islice(endless, max(0, left - 1))  # The last token is the end itself.


class ScriptedReply:
    """A text source that gives one reply, or the rest of it where the prompt ends with its start.

    `logprobs`: token to its log probability, where that is not 0.
    """

    def __init__(self, reply: str, logprobs: Mapping[str, float], tokenizer: Tokenizer) -> None:
        self._reply, self._logprobs, self._tokenizer = reply, logprobs, tokenizer

    def __call__(self, prompt: list[int]) -> Iterator[EmittedToken]:
        """Yield the tokens of the reply that are still to come, then the end of the text."""
        for token in self._tokenizer.encode(self._rest(self._tokenizer.decode(prompt))):
            yield EmittedToken(token, self._logprobs.get(self._tokenizer.decode([token]), 0.0))
        yield EmittedToken(EOS)

    def _rest(self, text: str) -> str:
        """Return what follows the longest token-aligned start of the reply that ends `text`."""
        starts = [""]
        for token in self._tokenizer.encode(self._reply):
            starts.append(starts[-1] + self._tokenizer.decode([token]))
        said = next(start for start in reversed(starts) if text.endswith(start))
        return self._reply[len(said) :]
