"""Prompts that cost what they say: random ids of ordinary tokens, never the same twice."""

from __future__ import annotations

import keyword
import random
import string

import aiohttp

from cato_backend.errors import EngineError
from cato_backend.replicas.features import token_ids
from cato_backend.replicas.replica import Replica

_SAMPLE = " ".join([*keyword.kwlist, *keyword.softkwlist, *string.printable.strip()])


class Prompts:
    """Draws prompts from a set of token ids."""

    def __init__(self, ids: list[int], seed: int) -> None:
        self._ids = ids
        self._rng = random.Random(seed)

    def fresh(self, tokens: int) -> list[int]:
        """A prompt of so many tokens that shares no block with any other."""
        return self._rng.choices(self._ids, k=tokens)


async def prompts_for(session: aiohttp.ClientSession, replica: Replica, seed: int) -> Prompts:
    """Prompts of the replica's own tokens. Raises EngineError where it cannot tell them."""
    found = await token_ids(session, replica, [_SAMPLE])
    if found is None or len(set(found[_SAMPLE])) < 16:
        raise EngineError(f"{replica.url} has no /tokenize: only vLLM's own server can be profiled")
    return Prompts(sorted(set(found[_SAMPLE])), seed)
