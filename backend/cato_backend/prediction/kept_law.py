"""The state of a learned law as values, to be stored and restored."""

from __future__ import annotations

import math
from typing import NamedTuple

from cato_backend.profile_files.profile import Form

TERMS = 7
"""base, weights, per_kv_token, per_new_token, per_sequence, per_attention; and the way in and out
of an idle replica, which is no part of a step."""
_RESTART_COMMON, _RESTART_OWN = 0.05, 0.03
"""Standard deviations of the logarithms that a restart adds: other neighbours, other flags."""
_DAY_COMMON, _DAY_OWN = 0.10, 0.05
"""And that the square root of a day adds: other versions of engine and driver."""
_DAY_S = 86_400.0
_OLDEST_S = 30 * _DAY_S
"""What is older is not wider."""


class KeptFilter(NamedTuple):
    """The state of one filter; see `LawFilter`."""

    form: Form
    log_terms: tuple[float, ...]
    """Natural logarithms of the terms, `TERMS` of them."""
    covariance: tuple[tuple[float, ...], ...]
    noise: float


class KeptLaw(NamedTuple):
    """The state of a `LearnedLaw`."""

    filters: tuple[KeptFilter, KeptFilter]
    speaks: int
    """Which of the two explains the replica better."""
    windows: int
    """Learned from so far."""
    age_s: float = 0.0
    """Since the last of them."""

    @property
    def widening(self) -> tuple[float, float]:
        """Standard deviations that its age adds: common to all terms, and each term's own."""
        days = min(self.age_s, _OLDEST_S) / _DAY_S
        return (
            math.hypot(_RESTART_COMMON, _DAY_COMMON * math.sqrt(days)),
            math.hypot(_RESTART_OWN, _DAY_OWN * math.sqrt(days)),
        )


def is_sound(kept: KeptLaw) -> bool:
    """Return whether a filter can begin from it: right sizes, finite numbers, variances above 0."""
    return kept.speaks in (0, 1) and kept.windows >= 0 and all(map(_is_sound, kept.filters))


def _is_sound(kept: KeptFilter) -> bool:
    rows = kept.covariance
    if len(kept.log_terms) != TERMS or [len(row) for row in rows] != [TERMS] * TERMS:
        return False
    numbers = [*kept.log_terms, kept.noise, *(value for row in rows for value in row)]
    bounded = all(math.isfinite(number) and abs(number) < 100 for number in numbers)
    return bounded and kept.noise > 0 and all(rows[term][term] >= 0 for term in range(TERMS))
