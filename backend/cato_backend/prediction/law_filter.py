"""A step law estimated from windows: an extended Kalman filter on the logarithms of its terms.

The state is u = ln(terms), so that no term becomes negative and a law that is wrong by a factor is
wrong by a sum. A window of y seconds, predicted as f(u), is observed as ln y = ln f(u) + noise. The
gradient of ln f is the share that each term has in the prediction; shares sum to 1 where every term
counts. The prior covariance has a common part (the whole law is off by a factor) and one for each
term. A random walk lets the terms follow drift; a run of surprises of one sign widens the belief.
Jazwinski, Stochastic Processes and Filtering Theory (1970), chapter 8.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cato_backend.prediction.kept_law import TERMS, KeptFilter
from cato_backend.prediction.step_windows import Window
from cato_backend.profile_files.law import Form, StepLaw

_OVERHEAD = 6
_OWN_FACTORS = (1.0, 1.0, 2.0, 1.0, 2.0, 3.0, 0.0)
"""How much wider each term's own part is: laws of CPUs and GPUs differ by 30 times in attention."""
_JITTER_S = 0.001
"""Standard deviation of one boundary's time, by network and event loops."""
_NOISE_START, _NOISE_MIN, _NOISE_MAX = 0.07, 0.02, 0.5
"""Relative standard deviation of a window that the law cannot explain."""
_NOISE_RATE = 0.03
_DRIFT_COMMON, _DRIFT_OWN = 0.010, 0.005
"""Standard deviation of the logarithms' random walk after one second."""
_SCORE_RATE = 0.02
"""Weight of a window in the mean log-likelihood."""
_SURPRISE = 3.0
"""Innovations beyond this many standard deviations are pulled in (Huber)."""
_BIAS_RATE, _BIAS_LIMIT = 0.2, 1.5
"""A mean standardized innovation beyond the limit means that the replica has changed."""
_CHANGE_COMMON, _CHANGE_OWN = 0.4, 0.15
"""What a change adds to the belief's standard deviation."""
_SMALLEST = -30.0
_VARIANCE_MAX = 4.0


class LawFilter:
    """Estimates the terms of a law of one form."""

    def __init__(self, state: KeptFilter) -> None:
        self._form: Form = state.form
        self._log_terms = np.array(state.log_terms)
        self._covariance = np.array(state.covariance)
        self._noise = min(_NOISE_MAX, max(_NOISE_MIN, state.noise))
        self._bias = 0.0
        self._score = 0.0

    @classmethod
    def of_prior(
        cls, law: StepLaw, form: Form, overhead_s: float, common: float, own: float
    ) -> LawFilter:
        """From a law, and standard deviations of the logarithms of its terms."""
        covariance = np.full((TERMS, TERMS), common**2)
        covariance[np.diag_indices(TERMS)] += (own * np.array(_OWN_FACTORS)) ** 2
        covariance[_OVERHEAD, :] = covariance[:, _OVERHEAD] = 0.0
        covariance[_OVERHEAD, _OVERHEAD] = 1.0
        log_terms = tuple(np.log(_positive_terms(law, form, overhead_s)).tolist())
        rows = tuple(tuple(row) for row in covariance.tolist())
        return cls(KeptFilter(form, log_terms, rows, _NOISE_START))

    @classmethod
    def restored(cls, kept: KeptFilter, common: float, own: float) -> LawFilter:
        """As it was kept, and less sure by these standard deviations of the terms' logarithms."""
        restored = cls(kept)
        restored._widen(common, own)
        return restored

    @property
    def kept(self) -> KeptFilter:
        """Its state as values."""
        covariance = tuple(tuple(row) for row in self._covariance.tolist())
        return KeptFilter(self._form, tuple(self._log_terms.tolist()), covariance, self._noise)

    @property
    def law(self) -> StepLaw:
        """The law as estimated now."""
        base, weights, kv, new, sequence, attention, _ = np.exp(self._log_terms).tolist()
        return StepLaw(self._form, base, weights, new, sequence, kv, attention)

    @property
    def overhead_s(self) -> float:
        """Seconds that a first token from an idle replica takes beside its steps."""
        return math.exp(self._log_terms[_OVERHEAD])

    @property
    def score(self) -> float:
        """Recent mean log-likelihood of a window: comparable between filters of the same data."""
        return self._score

    @property
    def noise(self) -> float:
        """Relative standard deviation of windows that the law cannot explain."""
        return self._noise

    def seconds(self, window: Window) -> float:
        """The duration of such a window, as estimated."""
        return float(self._parts(window).sum())

    def spread(self, window: Window) -> float:
        """Relative standard deviation of `seconds`, without the noise of a single window."""
        parts = self._parts(window)
        shares = parts / parts.sum()
        return math.sqrt(max(0.0, float(shares @ self._covariance @ shares)))

    def observe(self, window: Window, elapsed_s: float) -> None:
        """Learns from a window; `elapsed_s` have passed since the last one."""
        self._drift(elapsed_s)
        parts = self._parts(window)
        predicted = float(parts.sum())
        shares = parts / predicted
        innovation = math.log(max(window.seconds, 1e-6) / predicted)
        along = self._covariance @ shares
        belief = float(shares @ along)
        noise = self._noise**2 + (_JITTER_S / max(window.seconds, 1e-6)) ** 2
        total = belief + noise
        standardized = innovation / math.sqrt(total)
        self._score += _SCORE_RATE * (
            -0.5 * (min(standardized**2, 25.0) + math.log(total)) - self._score
        )
        self._note_bias(standardized)
        self._learn_noise(innovation, belief)
        pulled = max(-_SURPRISE, min(_SURPRISE, standardized)) * math.sqrt(total)
        gain = along / total
        self._log_terms = np.maximum(self._log_terms + gain * pulled, _SMALLEST)
        self._covariance = self._covariance - np.outer(gain, along)

    def _parts(self, window: Window) -> NDArray[np.float64]:
        """Seconds that each term contributes to the window."""
        base, weights, kv, new, sequence, attention, overhead = np.exp(self._log_terms).tolist()
        reading = weights + kv * window.kv_tokens
        prefills = window.prefill_steps
        decodes = window.steps - prefills
        per_step = window.prefill_tokens / prefills if prefills else 0.0
        read_steps = computed_tokens = 0.0
        for steps, tokens in (
            (decodes, window.sequences),
            (prefills, window.sequences + per_step),
        ):
            if self._form == "additive" or reading >= new * tokens:
                read_steps += steps
            if self._form == "additive" or reading < new * tokens:
                computed_tokens += steps * tokens
        return np.array(
            (
                base * window.steps,
                weights * read_steps,
                kv * window.kv_tokens * read_steps,
                new * computed_tokens,
                sequence * window.sequences * window.steps,
                attention * window.attention,
                overhead if window.from_idle else 0.0,
            )
        )

    def _drift(self, elapsed_s: float) -> None:
        elapsed = min(elapsed_s, 60.0)
        self._widen(_DRIFT_COMMON * math.sqrt(elapsed), _DRIFT_OWN * math.sqrt(elapsed))

    def _widen(self, common: float, own: float) -> None:
        self._covariance[:_OVERHEAD, :_OVERHEAD] += common**2
        diagonal = np.diag_indices(TERMS)
        widened = self._covariance[diagonal] + own**2
        excess = np.sqrt(np.minimum(1.0, _VARIANCE_MAX / widened))
        self._covariance[diagonal] = widened
        if excess.min() < 1.0:
            self._covariance *= np.outer(excess, excess)

    def _note_bias(self, standardized: float) -> None:
        pulled = max(-_SURPRISE, min(_SURPRISE, standardized))
        self._bias += _BIAS_RATE * (pulled - self._bias)
        if abs(self._bias) > _BIAS_LIMIT:
            self._bias = 0.0
            self._widen(_CHANGE_COMMON, _CHANGE_OWN)

    def _learn_noise(self, innovation: float, belief: float) -> None:
        unexplained = min(max(0.0, innovation**2 - belief), (_SURPRISE * self._noise) ** 2)
        variance = self._noise**2 + _NOISE_RATE * (unexplained - self._noise**2)
        self._noise = min(_NOISE_MAX, max(_NOISE_MIN, math.sqrt(variance)))


def _positive_terms(law: StepLaw, form: Form, overhead_s: float) -> NDArray[np.float64]:
    """The law's terms; one that is zero gets a hundredth of a usual step, so that it can grow."""
    constant = law.base + law.weights
    hundredth = 0.01 * constant
    base, weights = law.base, law.weights
    if form == "max" and law.form == "additive":
        # The part of the constant that reading the weights takes is not known: half of it.
        base, weights = constant / 2, constant / 2
    return np.array(
        (
            max(base, hundredth),
            max(weights, hundredth),
            max(law.per_kv_token, hundredth / 20_000),
            max(law.per_new_token, hundredth / 500),
            max(law.per_sequence, hundredth / 16),
            max(law.per_attention, hundredth / 500_000),
            overhead_s,
        )
    )
