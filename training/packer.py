"""Fills rows of a fixed number of tokens with examples: infills, and plain text between."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

from tokenizers import Tokenizer

from training.infill import PAUSE, HoleMaker, Marks, key_places, render, trim
from training.tokenizer import END, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, id_of

FIM_SHARE = 0.8
CUT_CHARACTERS = 30
CUT_KEYS_SHARE = 0.5
"""A prompt is whole but at its cursor: what is always cut in training looks strange in use."""
MIN_ROOM = 96


def marks_of(tokenizer: Tokenizer) -> Marks:
    """The ids of the tokens that separate the parts."""
    names = (END, FIM_PREFIX, FIM_MIDDLE, FIM_SUFFIX, "<|file_sep|>")
    return Marks(*(id_of(tokenizer, name) for name in names))


class Packer:
    """Fills rows of a fixed number of tokens with examples."""

    def __init__(self, tokenizer: Tokenizer, length: int, rng: random.Random) -> None:
        self._tokenizer = tokenizer
        self._marks = marks_of(tokenizer)
        self._length = length
        self._rng = rng
        self._holes = HoleMaker(rng)
        self._row: list[int] = []

    def _encode_at_keys(self, text: str) -> list[int]:
        """Tokens of a text that is cut at some of the key places: else most of what stands behind a
        lone `(` would be numbers, which are never glued to it."""
        return self._encode_pieces(text, sorted({*self._key_cuts(text), len(text)}))

    def _encode_cut(self, text: str) -> list[int]:
        """Tokens of a text that is cut now and then, most often where a person pauses.

        At a cursor the words on its left are cut in the same way. The tokenizer glues a space or a
        bracket to the word behind it: a network that has seen only whole words believes that what
        follows a lone `(` cannot be a word.
        """
        cuts = {*self._key_cuts(text), *self._random_cuts(text), len(text)}
        return self._encode_pieces(text, sorted(cuts))

    def _encode_pieces(self, text: str, ends: list[int]) -> list[int]:
        pieces = [text[start:end] for start, end in pairwise([0, *ends])]
        encoded = self._tokenizer.encode_batch(pieces, add_special_tokens=False)
        return [token for piece in encoded for token in piece.ids]

    def _key_cuts(self, text: str) -> Iterator[int]:
        for place in sorted(key_places(text, 0, len(text))):
            if self._rng.random() < CUT_KEYS_SHARE:
                yield place

    def _random_cuts(self, text: str) -> Iterator[int]:
        """Two of three behind a pause, the others anywhere."""
        at = 0
        while at < len(text):
            at += 1 + int(self._rng.expovariate(1 / CUT_CHARACTERS))
            pause = PAUSE.search(text, at) if self._rng.random() < 2 / 3 else None
            at = min(pause.end() if pause else at, len(text))
            yield at

    def _infill(self, piece: str, room: int) -> list[int]:
        """A fill-in-the-middle example of at most `room` tokens; none if its middle is too long."""
        hole = self._holes.make(piece.rstrip("\n"))
        middle = self._encode_at_keys(hole.middle)
        room -= len(middle) + 4
        if room < MIN_ROOM // 3:
            return []
        prefix, suffix = trim(
            self._encode_cut(hole.prefix), self._encode_at_keys(hole.suffix), room
        )
        return [*render(prefix, suffix, self._marks), *middle, self._marks.end]

    def _plain(self, piece: str, last: bool) -> list[int]:
        ends = [self._marks.end] if last else []
        return [self._marks.separator, *self._encode_cut(piece), *ends]

    def add(self, piece: str, last: bool) -> list[int] | None:
        """Add one piece; the row, when that filled it."""
        room = self._length - len(self._row)
        infill = room >= MIN_ROOM and piece.strip() and self._rng.random() < FIM_SHARE
        tokens = self._infill(piece, room) if infill else []
        self._row += tokens or self._plain(piece, last)
        if len(self._row) < self._length:
            return None
        row, self._row = self._row[: self._length], []
        return row
