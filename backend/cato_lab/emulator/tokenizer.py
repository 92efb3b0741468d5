"""A reversible tokenizer without a vocabulary: the id of a token spells it.

Two emulators in two processes therefore agree on every id, so that a stream can be resumed
elsewhere from its token ids. Code gives about four characters a token, as real tokenizers do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

EOS = 0
FIRST_SPECIAL = 1
_ASCII = 128
_OTHER = 1 << 30
_PIECE = re.compile(r"[A-Za-z0-9_]{1,4}|\n| {1,4}|[\x00-\x7f]|[^\x00-\x7f]")
_REMEMBERED = 1 << 16

QWEN_SPECIALS = (
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
)


class Tokenizer:
    """Splits into pieces of at most four characters; each special token is one id."""

    def __init__(self, specials: Iterable[str] = QWEN_SPECIALS) -> None:
        self._specials = {text: FIRST_SPECIAL + i for i, text in enumerate(specials)}
        self._texts = {i: text for text, i in self._specials.items()}
        longest_first = sorted(self._specials, key=len, reverse=True)
        marker = "|".join(re.escape(text) for text in longest_first)
        self._split = re.compile(f"({marker})") if marker else None

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`.

        Special tokens are read as such wherever they stand, as in vLLM.
        """
        if self._split is None:
            return _plain(text)
        ids: list[int] = []
        for part in self._split.split(text):
            special = self._specials.get(part)
            ids += _plain(part) if special is None else [special]
        return ids

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> str:
        """Return the text that the ids spell."""
        texts = {} if skip_special_tokens else self._texts
        return "".join(texts.get(i, "") if i < _ASCII else _spelling(i) for i in ids)


def _plain(text: str) -> list[int]:
    return [_spelled(piece) for piece in _PIECE.findall(text)]


@lru_cache(_REMEMBERED)
def _spelled(piece: str) -> int:
    if ord(piece[0]) >= _ASCII:
        return _OTHER + ord(piece[0])
    token = 1
    for character in piece:
        token = token * _ASCII + ord(character)
    return token


@lru_cache(_REMEMBERED)
def _spelling(token: int) -> str:
    if token >= _OTHER:
        return chr(token - _OTHER)
    characters = ""
    while token > 1:
        token, code = divmod(token, _ASCII)
        characters = chr(code) + characters
    return characters
