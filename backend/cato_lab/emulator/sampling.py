"""What a model says at a temperature: at each token, what it is surest of, or something else."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random

from cato_lab.emulator.calls import Call
from cato_lab.emulator.text import EmittedToken

_LEAST = 0.5
"""Of the probability of what a model is surest of: a single other token is never likelier."""


def sampled(
    tokens: Iterator[EmittedToken], temperature: float, chance: Random
) -> Iterator[EmittedToken]:
    """Yield `tokens`, some of them replaced by what else the model might have said."""
    for said in tokens:
        if said.other is None or chance.random() < stays(said.logprob, temperature):
            yield said
        else:
            yield EmittedToken(
                said.other, math.log(1 - max(math.exp(said.logprob), _LEAST)), said.token
            )


def stays(logprob: float, temperature: float) -> float:
    """Return the probability that what is surest is said, of two tokens, at a temperature."""
    surest = max(math.exp(logprob), _LEAST)
    if surest >= 1 or temperature <= 0:
        return 1.0
    return 1 / (1 + math.pow((1 - surest) / surest, 1 / temperature))


def draws(call: Call, index: int) -> Random:
    """Return the chance of the call's sequence of this index.

    A call that names a seed is answered in the same way each time.
    """
    return Random(f"{call.id if call.seed is None else call.seed} {index}")
