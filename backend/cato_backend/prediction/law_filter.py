"""Estimates a step law from windows: an extended Kalman filter on the logarithms of its terms.

The state is u = ln(terms), so that no term becomes negative and a law that is wrong by a factor is
wrong by a sum. A window of y seconds, predicted as f(u), is observed as ln y = ln f(u) + noise. The
gradient of ln f is the share that each term has in the prediction; shares sum to 1 where every term
counts. The prior covariance has a common part (the whole law is off by a factor) and one for each
term. A random walk lets the terms follow drift; a run of surprises of one sign widens the belief.
Jazwinski, Stochastic Processes and Filtering Theory (1970), chapter 8.

The matrices are lists, row after row, and what is done to all of their elements is mapped: with
seven terms, NumPy's overhead is several times the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, repeat
from operator import add, mul, sub

from cato_backend.prediction.kept_law import TERMS, KeptFilter
from cato_backend.prediction.step_windows import Window
from cato_backend.profile_files.profile import Form, StepLaw

_OVERHEAD = 6
_ROWS = range(0, TERMS * TERMS, TERMS)
_DIAGONAL = slice(0, None, TERMS + 1)
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
"""Weight of a window on average log-likelihood."""
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
        self._log_terms = list(state.log_terms)
        self._covariance = list(chain.from_iterable(state.covariance))
        self._noise = min(_NOISE_MAX, max(_NOISE_MIN, state.noise))
        self._bias = 0.0
        self._score = 0.0

    @classmethod
    def of_prior(
        cls, law: StepLaw, form: Form, overhead_s: float, common: float, own: float
    ) -> LawFilter:
        """From a law, and standard deviations of the logarithms of its terms."""
        log_terms = tuple(map(math.log, _positive_terms(law, form, overhead_s)))
        rows = tuple(
            tuple(_prior_covariance(row, column, common, own) for column in range(TERMS))
            for row in range(TERMS)
        )
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
        rows = tuple(tuple(self._covariance[at : at + TERMS]) for at in _ROWS)
        return KeptFilter(self._form, tuple(self._log_terms), rows, self._noise)

    @property
    def law(self) -> StepLaw:
        """The law as estimated now."""
        base, weights, kv, new, sequence, attention, _ = map(math.exp, self._log_terms)
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
        """Return the duration of such a window, as estimated."""
        return sum(self._parts(window))

    def spread(self, window: Window) -> float:
        """Relative standard deviation of `seconds`, without the noise of a single window."""
        parts = self._parts(window)
        shares = _shares(parts, sum(parts))
        return math.sqrt(max(0.0, _product(shares, self._along(shares))))

    def observe(self, window: Window, elapsed_s: float) -> None:
        """Learn from a window; `elapsed_s` have passed since the last one."""
        self._drift(elapsed_s)
        parts = self._parts(window)
        predicted = sum(parts)
        shares = _shares(parts, predicted)
        innovation = math.log(max(window.seconds, 1e-6) / predicted)
        along = self._along(shares)
        belief = _product(shares, along)
        noise = self._noise**2 + (_JITTER_S / max(window.seconds, 1e-6)) ** 2
        total = belief + noise
        standardized = innovation / math.sqrt(total)
        self._score += _SCORE_RATE * (
            -0.5 * (min(standardized**2, 25.0) + math.log(total)) - self._score
        )
        self._note_bias(standardized)
        self._learn_noise(innovation, belief)
        pulled = max(-_SURPRISE, min(_SURPRISE, standardized)) * math.sqrt(total)
        gain = [each / total for each in along]
        self._log_terms = [
            max(term + each * pulled, _SMALLEST)
            for term, each in zip(self._log_terms, gain, strict=True)
        ]
        learned: list[float] = []
        for each in gain:
            learned += map(mul, repeat(each), along)
        self._covariance = list(map(sub, self._covariance, learned))

    def _along(self, shares: Sequence[float]) -> list[float]:
        """Return the covariance times the shares."""
        covariance = self._covariance
        return [math.fsum(map(mul, covariance[at : at + TERMS], shares)) for at in _ROWS]

    def _parts(self, window: Window) -> tuple[float, ...]:
        """Return seconds that each term contributes to the window."""
        base, weights, kv, new, sequence, attention, overhead = map(math.exp, self._log_terms)
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
        return (
            base * window.steps,
            weights * read_steps,
            kv * window.kv_tokens * read_steps,
            new * computed_tokens,
            sequence * window.sequences * window.steps,
            attention * window.attention,
            overhead if window.from_idle else 0.0,
        )

    def _drift(self, elapsed_s: float) -> None:
        elapsed = min(elapsed_s, 60.0)
        self._widen(_DRIFT_COMMON * math.sqrt(elapsed), _DRIFT_OWN * math.sqrt(elapsed))

    def _widen(self, common: float, own: float) -> None:
        own_part = own**2
        added = [*[common**2] * _OVERHEAD, 0.0] * _OVERHEAD + [0.0] * TERMS
        covariance = list(map(add, self._covariance, added))
        variances = [value + own_part for value in covariance[_DIAGONAL]]
        covariance[_DIAGONAL] = variances
        self._covariance = covariance
        if max(variances) > _VARIANCE_MAX:
            self._bound_variances()

    def _bound_variances(self) -> None:
        """Scale the terms whose variance is above the limit, correlations unchanged."""
        covariance = self._covariance
        excess = [math.sqrt(min(1.0, _VARIANCE_MAX / each)) for each in covariance[_DIAGONAL]]
        self._covariance = [
            value * own * other
            for at, own in zip(_ROWS, excess, strict=True)
            for value, other in zip(covariance[at : at + TERMS], excess, strict=True)
        ]

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


def _product(first: Sequence[float], second: Sequence[float]) -> float:
    return math.fsum(map(mul, first, second))


def _shares(parts: Sequence[float], total: float) -> list[float]:
    return [part / total for part in parts]


def _prior_covariance(row: int, column: int, common: float, own: float) -> float:
    """Return the prior covariance of two terms' logarithms. The overhead is independent."""
    if _OVERHEAD in (row, column):
        return 1.0 if row == column else 0.0
    return common**2 + ((own * _OWN_FACTORS[row]) ** 2 if row == column else 0.0)


def _positive_terms(law: StepLaw, form: Form, overhead_s: float) -> tuple[float, ...]:
    """Return the law's terms.

    One that is zero gets a hundredth of a usual step, so that it can grow.
    """
    constant = law.base + law.weights
    hundredth = 0.01 * constant
    base, weights = law.base, law.weights
    if form == "max" and law.form == "additive":
        # The part of the constant that reading the weights takes is not known: half of it.
        base, weights = constant / 2, constant / 2
    return (
        max(base, hundredth),
        max(weights, hundredth),
        max(law.per_kv_token, hundredth / 20_000),
        max(law.per_new_token, hundredth / 500),
        max(law.per_sequence, hundredth / 16),
        max(law.per_attention, hundredth / 500_000),
        overhead_s,
    )
