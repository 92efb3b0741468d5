"""The prefix cache's keys."""

from __future__ import annotations

from collections.abc import Sequence


def block_hashes(tokens: Sequence[int], block_size: int) -> list[int]:
    """One chained hash for each whole block: equal hashes mean equal tokens from the start."""
    hashes: list[int] = []
    key = 0
    for start in range(0, len(tokens) - block_size + 1, block_size):
        key = hash((key, *tokens[start : start + block_size]))
        hashes.append(key)
    return hashes
