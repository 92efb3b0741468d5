"""Slots and KV tokens of one replica."""

from __future__ import annotations

from cato_backend.requests import Request
from cato_backend.scheduling.policies.cato.observed_slots import ObservedSlots
from cato_backend.scheduling.replica import ReplicaView

_ALWAYS_FIT = 3
"""Requests that a replica takes whatever the count of its KV tokens says: what prompts share counts
more than once there."""
_ROOMY = 0.6
"""Share of KV blocks up to which answers that run have blocks to grow into."""


class Room:
    """What the replica holds at once, as far as it is told or shown."""

    def __init__(self, view: ReplicaView, observed: ObservedSlots) -> None:
        self._view = view
        self._observed = observed

    @property
    def slots(self) -> int:
        """Requests that run at once there; more would queue in the engine, out of reach."""
        view, slots = self._view, self._view.max_running
        if view.profile is not None:  # Else the guess is one of speed, not of size.
            slots = min(slots, view.learned.limits.max_num_seqs)
        for shown in (view.capacity.slots, self._observed.limit):
            if shown is not None:
                slots = min(slots, shown)
        return slots

    def holds(self, request: Request, reserved: float) -> bool:
        """Return whether the KV cache holds the prompt too, but for the `reserved` share.

        A request that finds none would wait in the engine. Where the size is not known, it does.
        """
        size = self.kv_size
        if size is None or self._view.running < _ALWAYS_FIT:
            return True
        used = self._view.kv_tokens + request.prompt_tokens
        return used <= (1 - reserved) * size or self.is_roomy_for(request, size)

    def is_roomy_for(self, request: Request, size: int) -> bool:
        """Return whether the cache stays roomy with the prompt, by the engine's own count.

        The ledger may count more tokens, because prompts share blocks.
        """
        held = self._view.capacity.held(self._view.kv_tokens)
        return held + request.prompt_tokens <= _ROOMY * size

    @property
    def kv_size(self) -> int | None:
        """Tokens that the KV cache holds; None where it is not known."""
        view = self._view
        if view.capacity.kv_tokens is not None or view.profile is None:
            return view.capacity.kv_tokens
        return view.learned.limits.kv_tokens
