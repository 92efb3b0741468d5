"""How many requests an engine runs at once, as its streams show it.

An engine admits waiting requests while it has slots. Where one has waited for longer than its
prompt takes to compute, while others went on and no answer began, the engine had no slot. The
engine's metrics show the same (see `EngineCapacity`), but every few seconds only, and an overload
fills the engine's own queue, out of reach, in less than that.
"""

from __future__ import annotations

_LOOKS = 3
"""That must agree: a single one may be due to a wrong estimate of the prompt's time."""
_PATIENCE = 2.0
"""Times the prompt's own time."""
_CONFIRMED_S = 5.0
"""After so long one request more is tried: what was taken for the limit may have been none."""


class ObservedSlots:
    """Of one replica. Times on the scheduler's clock."""

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
        """Record that an answer has begun; `decoding` answers go on, this one included."""
        self._began_at = now
        if decoding > self._most:
            self._most, self._agreed = decoding, 0
        self._judge(now)

    def may_show(self, decoding: int) -> bool:
        """Return whether an end tells something while `decoding` answers go on, itself included."""
        return decoding == self._most

    def ended(self, waits_since: float, prompt_s: float, now: float) -> None:
        """Record that an answer has ended, with the most going on.

        Another request waits there since `waits_since`, and its prompt takes `prompt_s` seconds.
        """
        if now - max(waits_since, self._began_at) > _PATIENCE * prompt_s:
            self._agreed += 1
            self._confirmed_at = now
        self._judge(now)

    def _judge(self, now: float) -> None:
        tried = now > self._confirmed_at + _CONFIRMED_S
        self.limit = self._most + tried if self._agreed >= _LOOKS else None
