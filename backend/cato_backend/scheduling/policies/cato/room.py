"""Slots and KV tokens of one replica, as its profile, its metrics or its streams show them.

An engine admits waiting requests while it has slots. Where one has waited for longer than its
prompt takes to compute, while others went on and no answer began, the engine had no slot. The
engine's metrics show the same (see `EngineCapacity`), but every few seconds only, and an overload
fills the engine's own queue, out of reach, in less than that.
"""

from __future__ import annotations

from cato_backend.requests import Request
from cato_backend.scheduling.replica import ReplicaView

_ALWAYS_FIT = 3
"""Requests that a replica takes whatever the count of its KV tokens says: what prompts share counts
more than once there."""
_ROOMY = 0.6
"""Share of KV blocks up to which answers that run have blocks to grow into."""
_LOOKS = 3
"""That must agree: a single one may be due to a wrong estimate of the prompt's time."""
_PATIENCE = 2.0
"""Times the prompt's own time."""
_CONFIRMED_S = 5.0
"""Seconds after which one request more is tried: the assumed limit may have been none."""


class Room:
    """The requests and tokens that the replica holds at once, as reported or observed."""

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


class ObservedSlots:
    """Observed slots of one replica. Times on the scheduler's clock."""

    def __init__(self) -> None:
        self.limit: int | None = None
        """Requests that run at once; None where nothing has shown it."""
        self._most = 0
        """Most that ever decoded at once."""
        self._agreed = 0
        """Looks that showed it as the limit."""
        self._confirmed_at = 0.0
        self._began_at = 0.0

    def began(self, decoding: int, now: float) -> None:
        """Record that an answer has begun; `decoding` answers continue, this one included."""
        self._began_at = now
        if decoding > self._most:
            self._most, self._agreed = decoding, 0
        self._judge(now)

    def may_show(self, decoding: int) -> bool:
        """Return whether an end is informative while `decoding` answers run, itself included."""
        return decoding == self._most

    def ended(self, waits_since: float, prompt_s: float, now: float) -> None:
        """Record that an answer has ended, with the largest number of others that continue.

        Another request waits there since `waits_since`, and its prompt takes `prompt_s` seconds.
        """
        if now - max(waits_since, self._began_at) > _PATIENCE * prompt_s:
            self._agreed += 1
            self._confirmed_at = now
        self._judge(now)

    def _judge(self, now: float) -> None:
        tried = now > self._confirmed_at + _CONFIRMED_S
        self.limit = self._most + tried if self._agreed >= _LOOKS else None
