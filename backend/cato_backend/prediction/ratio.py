"""Characters per token, learned from the engine's own counts: no tokenizer on the hot path."""

from __future__ import annotations

_FIRST_GUESS = 3.0
"""Code under a byte-level BPE of 8k to 150k entries takes 2.5 to 3.8 characters a token."""
_SMOOTHING = 0.05
_FEWEST_TOKENS = 16
"""Shorter prompts say more about their special tokens than about the text."""


class CharsPerToken:
    """An exponentially weighted mean for one model."""

    def __init__(self) -> None:
        self._mean = _FIRST_GUESS

    @property
    def mean(self) -> float:
        """Characters per token; for estimates."""
        return self._mean

    def observe(self, chars: int, tokens: int) -> None:
        """The engine counted `tokens` in a prompt of `chars` characters."""
        if tokens >= _FEWEST_TOKENS and chars > 0:
            self._mean += _SMOOTHING * (chars / tokens - self._mean)

    def tokens(self, chars: int) -> int:
        """The estimated tokens of a text, at least 1."""
        return max(1, round(chars / self._mean))
