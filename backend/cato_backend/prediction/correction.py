"""Online correction of a law: what was observed against what was predicted, per replica."""

from __future__ import annotations

import math

_FORGETTING = 0.97
"""Weight of an observation after one more: half after some 23."""
_NOISE = 0.01
"""Variance of one observation's relative error."""
_LOWEST, _HIGHEST = 0.2, 5.0
"""A scale beyond these is a wrong profile, or a replica that is not alone on its machine."""
_SURPRISE = 4.0
"""An observation that misses by more than so many times the usual is pulled in to that."""
_OFFSET_VARIANCE = 4e-4
"""Of the constant part, seconds squared, before anything was observed."""
_SCALE_VARIANCE = 0.25


class LinearCorrection:
    """observed = offset + scale * predicted, by recursive least squares with forgetting.

    Errors are weighed relative to the prediction, so that long waits do not outvote short ones, and
    an outlier is pulled in (Huber) before it is learned from.
    """

    def __init__(self) -> None:
        self._offset: float = 0.0
        self._scale: float = 1.0
        self._p_oo: float = _OFFSET_VARIANCE
        self._p_os: float = 0.0
        self._p_ss: float = _SCALE_VARIANCE
        self._usual: float = 0.1

    @property
    def offset_s(self) -> float:
        """Seconds that every prediction lacks; never negative."""
        return self._offset

    @property
    def scale(self) -> float:
        """What a prediction is multiplied with."""
        return min(_HIGHEST, max(_LOWEST, self._scale))

    def apply(self, predicted_s: float) -> float:
        """The corrected prediction."""
        return self.offset_s + self.scale * predicted_s

    def observe(self, predicted_s: float, observed_s: float) -> None:
        """It took `observed_s` where the law alone had said `predicted_s`; both above 0."""
        weight = 1 / max(predicted_s, 1e-6)
        row_o, row_s = weight, predicted_s * weight
        error = observed_s * weight - (row_o * self._offset + row_s * self._scale)
        bound = _SURPRISE * self._usual
        self._usual += 0.05 * (min(abs(error), 2 * bound) - self._usual)
        self._update(row_o, row_s, min(bound, max(-bound, error)))
        if self._offset < 0:  # It cannot be: the scale says the same of this observation.
            self._scale += self._offset * row_o / row_s
            self._offset = 0.0

    def _update(self, row_o: float, row_s: float, error: float) -> None:
        """One step of the recursion for two unknowns, written out."""
        along_o = self._p_oo * row_o + self._p_os * row_s
        along_s = self._p_os * row_o + self._p_ss * row_s
        total = _FORGETTING * _NOISE + row_o * along_o + row_s * along_s
        self._offset += along_o / total * error
        self._scale += along_s / total * error
        # Capped, so that a long time without news of one unknown does not make it leap later.
        left_o = (self._p_oo - along_o * along_o / total) / _FORGETTING
        left_s = (self._p_ss - along_s * along_s / total) / _FORGETTING
        left_os = (self._p_os - along_o * along_s / total) / _FORGETTING
        shrunk_o = min(1.0, _OFFSET_VARIANCE / left_o)
        shrunk_s = min(1.0, _SCALE_VARIANCE / left_s)
        self._p_oo, self._p_ss = left_o * shrunk_o, left_s * shrunk_s
        self._p_os = left_os * math.sqrt(shrunk_o * shrunk_s)
