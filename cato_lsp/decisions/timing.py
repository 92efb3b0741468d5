"""When to ask, with which budget, and by when to show what came.

How long to wait before asking follows from how a person types. The gaps between keys within a burst
are log-normal; a burst ends with each key at about the same chance. From that follows how likely
somebody who has been still for a while stays so until the answer is there, and thus when it is
worth asking.
"""

from __future__ import annotations

import math
from collections import deque

from cato_backend.wire.headers import Task

LONGEST_GAP_S = 1.0
"""A longer gap is a pause between bursts."""
KEYS_KEPT = 64
_PRIOR_KEYS = 8
"""How many keys the typical rhythm counts for, until the person's own is known."""
_TYPICAL_LN_S = math.log(0.17)
_TYPICAL_SPREAD = 0.5
_LEAST_SPREAD = 0.1
_PAUSE_SHARE = 1 / 16
_STEP_MS = 10

PATIENT = 0.8
"""How likely the person must be to wait for the answer where the backend is full."""
EAGER = 0.2
"""The same where it is idle: an answer that is typed along with is not lost."""

TYPICAL_TTFT_MS = 100.0
"""Until the backend's own is known."""
SHOW_BY_MS = {Task.COMPLETION: 250.0, Task.GENERATION: 1500.0}
"""From then on what came so far is shown, as far as its lines are whole; the rest is there when
the person types on. Ghost text cannot grow: editors take one answer."""
LOOK_AHEAD_MS = 2000
"""The budget of what nobody waits for yet: it comes behind what somebody does."""
MIN_BUDGET_SHARE = 0.5


class TypingRhythm:
    """The gaps between one person's last keys."""

    def __init__(self) -> None:
        self._gaps: deque[float] = deque(maxlen=KEYS_KEPT)
        self._last_s: float | None = None
        self._mean, self._spread = _TYPICAL_LN_S, _TYPICAL_SPREAD

    def key(self, now_s: float) -> None:
        """Take note that a key was pressed."""
        gap_s = now_s - self._last_s if self._last_s is not None else 0.0
        self._last_s = now_s
        if 0 < gap_s <= LONGEST_GAP_S:
            self._gaps.append(math.log(gap_s))
            self._fit()

    def still(self, after_ms: float) -> float:
        """Return the probability that no key comes within that time of the last one."""
        if after_ms < 1:
            return 1.0
        deviations = (math.log(after_ms / 1000) - self._mean) / self._spread
        typing_on = 0.5 * math.erfc(deviations / math.sqrt(2))
        return _PAUSE_SHARE + (1 - _PAUSE_SHARE) * typing_on

    def _fit(self) -> None:
        """Fit mean and standard deviation of the logarithm, drawn towards the typical ones."""
        known = len(self._gaps) + _PRIOR_KEYS
        self._mean = (sum(self._gaps) + _PRIOR_KEYS * _TYPICAL_LN_S) / known
        squares = sum((gap - self._mean) ** 2 for gap in self._gaps)
        spread = math.sqrt((squares + _PRIOR_KEYS * _TYPICAL_SPREAD**2) / known)
        self._spread = max(spread, _LEAST_SPREAD)


def debounce_ms(
    rhythm: TypingRhythm, *, answer_ms: float, load: float, editor_ms: float, longest_ms: float
) -> float:
    """Return how long to wait before asking, counted from when the editor asked.

    The least time after which somebody who has been still so long is likely enough to stay so for
    the `answer_ms` that an answer takes: `EAGER` where the backend is idle, `PATIENT` where its
    `load` (0..1) is full. `editor_ms`: what the editor has waited already. Never above
    `longest_ms`.
    """
    enough = EAGER + (PATIENT - EAGER) * min(max(load, 0.0), 1.0)
    waited_ms = editor_ms
    while waited_ms < editor_ms + longest_ms:
        if rhythm.still(waited_ms + answer_ms) >= enough * rhythm.still(waited_ms):
            break
        waited_ms += _STEP_MS
    return min(waited_ms - editor_ms, longest_ms)


def budget_ms(target_ms: float, *, spent_ms: float, round_trip_ms: float) -> int:
    """Return what is left of a TTFT target once the request is on the wire.

    A wait that was chosen because the backend is busy leaves half of the target at least: less
    than that no backend could meet.
    """
    return int(max(target_ms - spent_ms - round_trip_ms, target_ms * MIN_BUDGET_SHARE))
