"""What a replica's engine holds at once, as its metrics show it.

vLLM tells the size of its KV cache, but not its `max_num_seqs`. A request that waits there while
everything that runs decodes waits for a slot or for KV blocks, though: decoding never uses up the
tokens of a step.
"""

from __future__ import annotations

from cato_backend.scheduling.events import LoadReported

_LOOKS = 3
"""That must agree: one alone may have caught a request that had just come."""
_FULL = 0.9
"""Share of KV blocks from which a waiting request may lack blocks and not a slot."""
_CONFIRMED_S = 30.0
"""After so long one request more is tried: what was taken for the limit may have been none."""
_LEAST_TOKENS = 1000
"""Of context on the replica, before its KV usage says how much of that is shared."""
_WEIGHT = 0.3
"""Of a new look in the mean."""


class EngineCapacity:
    """Of one replica. Times on the scheduler's clock."""

    def __init__(self) -> None:
        self._most = 0
        """Most that ever ran."""
        self._agreed = 0
        """Looks that showed it as the limit."""
        self._confirmed_at = 0.0
        self.slots: int | None = None
        """Requests that run at once; None where it is not known."""
        self.kv_tokens: int | None = None
        """Tokens for which there are KV blocks; None where it is not told."""
        self.held_share = 1.0
        """KV blocks that are held over what the ledger counts: prompts share blocks."""

    def look(self, load: LoadReported, decoding: int, kv_tokens: int, now: float) -> None:
        """The engine shows this load, while `decoding` of our requests have had a token and
        `kv_tokens` of context are counted for all of them."""
        usage = load.kv_usage or 0.0
        if load.running > self._most:
            self._most, self._agreed = load.running, 0
        is_limit = load.waiting > 0 and load.running == self._most and usage < _FULL
        if is_limit and decoding >= load.running:
            self._agreed += 1
            self._confirmed_at = now
        tried = now > self._confirmed_at + _CONFIRMED_S
        self.slots = self._most + tried if self._agreed >= _LOOKS else None
        self.kv_tokens = load.kv_tokens
        if load.kv_tokens and usage and not load.waiting and kv_tokens >= _LEAST_TOKENS:
            share = min(1.0, usage * load.kv_tokens / kv_tokens)
            self.held_share += _WEIGHT * (share - self.held_share)
