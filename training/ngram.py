"""The baseline: an interpolated Kneser-Ney 5-gram model over the same token rows.

Kneser and Ney 1995, in the interpolated form of Chen and Goodman 1998 (section 2.7), one absolute
discount per order, D = n1 / (n1 + 2 n2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ORDER = 5
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Level:
    """The n-grams of one order, sorted by the hash of their context (all tokens but the last)."""

    context: Hashes
    word: NDArray[np.uint16]
    count: NDArray[np.float32]
    discount: float


def hashes(columns: Sequence[NDArray[np.uint16]], length: int) -> Hashes:
    """One 64-bit hash per position over equally long token columns."""
    total = np.zeros(length, dtype=np.uint64)
    for column in columns:
        total = (total + column.astype(np.uint64) + np.uint64(1)) * MULTIPLIER
        total ^= total >> np.uint64(29)
    return total


def level(columns: Sequence[NDArray[np.uint16]]) -> tuple[Level, list[NDArray[np.uint16]]]:
    """Counts of the n-grams whose tokens are `columns`, and the distinct n-grams themselves."""
    length = len(columns[0])
    _, first, count = np.unique(hashes(columns, length), return_index=True, return_counts=True)
    distinct = [column[first] for column in columns]
    context = hashes(distinct[:-1], len(first))
    order = np.argsort(context, kind="stable")
    ones, twos = int((count == 1).sum()), int((count == 2).sum())
    discount = ones / max(1, ones + 2 * twos)
    counts = count[order].astype(np.float32)
    return Level(context[order], distinct[-1][order], counts, discount), distinct


class KneserNey:
    """Next-token probabilities from the last four tokens."""

    def __init__(self, rows: NDArray[np.uint16], vocab: int) -> None:
        self._vocab = vocab
        width = rows.shape[1]
        columns = [rows[:, at : width - ORDER + 1 + at].ravel() for at in range(ORDER)]
        top, distinct = level(columns)
        self._levels = [top]
        while len(distinct) > 1:
            lower, distinct = level(distinct[1:])
            self._levels.insert(0, lower)

    def _matches(self, context: Sequence[int]) -> Iterator[tuple[Level, slice]]:
        """The n-grams seen after the last 0, 1, 2 ... tokens of `context`, shortest first."""
        for size, entry in enumerate(self._levels[: len(context) + 1]):
            tail = context[len(context) - size :]
            key = hashes([np.array([token], dtype=np.uint16) for token in tail], 1)[0]
            start, end = np.searchsorted(entry.context, [key, key + np.uint64(1)])
            if start == end:
                return
            yield entry, slice(start, end)

    def probabilities(self, context: Sequence[int]) -> NDArray[np.float64]:
        """The distribution over the vocabulary after `context`."""
        result = np.full(self._vocab, 1 / self._vocab)
        for entry, found in self._matches(context):
            counts = entry.count[found]
            total = counts.sum()
            result *= entry.discount * len(counts) / total
            result[entry.word[found]] += np.maximum(counts - entry.discount, 0) / total
        return result

    def probability(self, context: Sequence[int], token: int) -> float:
        """That of one token; the same as `probabilities(context)[token]`, but cheaper."""
        result = 1 / self._vocab
        for entry, found in self._matches(context):
            counts = entry.count[found]
            seen = counts[entry.word[found] == token]
            kept = np.maximum(seen - entry.discount, 0).sum()
            result = float((kept + result * entry.discount * len(counts)) / counts.sum())
        return result

    def nats(self, tokens: Sequence[int]) -> float:
        """Negative log-likelihood of tokens[1:], each after the (at most four) before it."""
        return -sum(
            math.log(self.probability(tokens[max(0, at - ORDER + 1) : at], tokens[at]))
            for at in range(1, len(tokens))
        )
