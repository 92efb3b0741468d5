"""Synthetic prompts, whose texts share prefixes as the blocks of their arrivals do."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from cato_lab.workloads.arrival import BLOCK_TOKENS, Arrival

_LETTERS = (
    "selfnamedatalistitemsizenodenextprevheadtailleftpathfilelinetext"
    "codetypeargscallnonetruepasselsefromcasevoidcharlongautoenumthis"
    "maintestusertimedateyearhashkeyslockreadsendrecvopenexitstopwait"
    "loadsavecopymovesortfindpushpulljoineachwithformpagelinkviewedit"
)
_WORDS = tuple(_LETTERS[at : at + 4] for at in range(0, len(_LETTERS), 4))
"""64 words of four letters: one token in most vocabularies, six bits each."""


class PromptText:
    """Writes prompts of `words_per_block` words for 16 tokens.

    `salt` tells runs apart: the same blocks under another salt share nothing, so that a server's
    cache is cold for a new run.
    """

    def __init__(self, salt: str, words_per_block: float = BLOCK_TOKENS) -> None:
        self._salt = salt.encode()
        self._words_per_block = words_per_block
        self._block = lru_cache(maxsize=200_000)(self._write_block)

    def prompt(self, arrival: Arrival) -> str:
        """Return its blocks one after another, and a rest that is its own."""
        blocks = "".join(map(self._block, arrival.blocks))
        rest = arrival.prompt_tokens - len(arrival.blocks) * BLOCK_TOKENS
        words = round(rest * self._words_per_block / BLOCK_TOKENS)
        return (blocks + self._words(arrival.id, words)) or _WORDS[0]

    def _write_block(self, block: int) -> str:
        return self._words(str(block), round(self._words_per_block))

    def _words(self, seed: str, count: int) -> str:
        words: list[str] = []
        part = 0
        while len(words) < count:
            digest = blake2b(f"{part}:{seed}".encode(), key=self._salt, digest_size=64).digest()
            words += (_WORDS[byte & 63] for byte in digest)
            part += 1
        return "".join(word + " " for word in words[:count])
