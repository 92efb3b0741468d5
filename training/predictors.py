"""What is compared: the network (trained or not) and the n-gram model, behind one seam."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import torch

from training.decoding import greedy
from training.infill import Marks, render, trim
from training.model import Qwen2
from training.ngram import ORDER, KneserNey


class Predictor(Protocol):
    """A next-token model."""

    def nats(self, tokens: Sequence[int]) -> float:
        """Negative log-likelihood of tokens[1:]."""
        ...

    def continuation(self, prefix: list[int], suffix: list[int], room: int) -> Iterator[int]:
        """Greedy tokens for the hole; `room` is how many prompt tokens may be used."""
        ...


class Network:
    """The network, prompted as it was trained."""

    def __init__(self, model: Qwen2, marks: Marks) -> None:
        self._model = model.eval()
        self._marks = marks

    @torch.no_grad()
    def nats(self, tokens: Sequence[int]) -> float:
        """See `Predictor`."""
        row = torch.tensor([tokens])
        count = len(tokens) - 1
        return float(self._model.loss(row[:, :-1], row[:, 1:], ignore=-100)) * count

    def continuation(self, prefix: list[int], suffix: list[int], room: int) -> Iterator[int]:
        """See `Predictor`."""
        kept = trim(prefix, suffix, room)
        return greedy(self._model, render(*kept, self._marks))


class NGram:
    """The 5-gram model; it sees only what stands before the cursor."""

    def __init__(self, model: KneserNey) -> None:
        self._model = model

    def nats(self, tokens: Sequence[int]) -> float:
        """See `Predictor`."""
        return self._model.nats(tokens)

    def continuation(self, prefix: list[int], suffix: list[int], room: int) -> Iterator[int]:
        """See `Predictor`."""
        context = prefix[-(ORDER - 1) :]
        while True:
            token = int(self._model.probabilities(context).argmax())
            yield token
            context = [*context, token][-(ORDER - 1) :]
