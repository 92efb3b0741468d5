"""A token bucket for each of many clients."""

from __future__ import annotations

from collections import OrderedDict

_MOST_KEYS = 10_000


class RateCap:
    """At most `per_s` a second and `burst` at once for each key. Times in seconds, any clock."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()
        """When each bucket will be full again; a key that is absent has a full one."""

    def wait_s(self, key: tuple[str, str], now: float) -> float:
        """Take one from the key's bucket and return 0; or, from an empty one, the wait."""
        full_at = max(now, self._full_at.get(key, now)) + 1 / self._per_s
        excess_s = full_at - now - self._burst / self._per_s
        if excess_s > 0:
            return excess_s
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > _MOST_KEYS:
            self._full_at.popitem(last=False)
        return 0.0
