"""What the policy keeps of one replica beside the ledger's counts."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from cato_backend.prediction.correction import LinearCorrection
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.profile_files.law import StepLaw
from cato_backend.profile_files.profile import Profile
from cato_backend.scheduling.policies.cato.lengths import Lengths
from cato_backend.scheduling.policies.cato.order import is_typed
from cato_backend.scheduling.replica import Attempt, ReplicaView

UNKNOWN = Profile("", "", StepLaw("additive", base=0.015, per_new_token=0.0001))
"""Where no profile is known: a 7B model on a data-centre GPU; the correction does the rest."""
_RATE_MEMORY_S = 3.0
_STALE_S = 0.25
_LEAST_SPREAD_S = 0.03
_DELAYS = (0.0, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_DELAY_COLUMN = np.array(_DELAYS)[:, None]
_NO_LOSSES = [0.0] * len(_DELAYS)
_CALM = 0.1
"""Share of prefill up to which the time between two tokens tells of the law, not of the load."""
_ENOUGH_TOKENS = 16
"""Shorter answers say little of the time between two tokens."""


class Book:
    """One replica: its predicted times, and the margins of what is in flight on it."""

    def __init__(self, view: ReplicaView, *, corrected: bool) -> None:
        self.view = view
        self.service = ServiceModel.of(view.profile or UNKNOWN)
        self.free_at = 0.0
        """When the prefill that it was sent will be done, as predicted."""
        self._typed: dict[str, float] = {}
        self.changed = 0
        """When it had more or less to do last, by the roster's count of changes."""
        self._corrected = corrected
        self._prefill, self._decode = LinearCorrection(), LinearCorrection()
        self._rate = self._rate_at = 0.0
        self._sample: tuple[str, float] | None = None
        """The request whose first token nothing else delays, and what the law says of it."""
        self._losses = _NO_LOSSES
        self._weighed_at = -math.inf

    @property
    def slots(self) -> int:
        """Requests that run at once there; more would queue in the engine, out of reach."""
        if self.view.profile is None:  # The guess is one of speed, not of size.
            return self.view.max_running
        return min(self.view.max_running, self.service.limits.max_num_seqs)

    # -- predicted times -----------------------------------------------------------------------

    def rate(self, now: float) -> float:
        """Uncached prompt tokens a second, lately."""
        return self._rate * math.exp((self._rate_at - now) / _RATE_MEMORY_S)

    def prefill_s(self, uncached: int, cached: int) -> float:
        """To compute a prompt, once its turn has come."""
        view = self.view
        seconds = self.service.prompt_s(view.decoding, view.kv_tokens, max(1, uncached), cached)
        return self._prefill.apply(seconds) if self._corrected else seconds

    def _law_first_s(self, attempt: Attempt) -> float:
        """By the law alone, from sending to the first token, where nothing else is unstarted."""
        state = ReplicaState(decoding=self.view.decoding, kv_tokens=self.view.kv_tokens)
        work = Work(max(1, attempt.pending_prefill), attempt.cached_tokens)
        return self.service.ttft_s(state, work)

    def token_s(self, now: float) -> float:
        """Between two tokens of a stream, one more sequence and the recent prefill counted in."""
        seconds = self.service.token_s(self.view.running + 1, self.view.kv_tokens, self.rate(now))
        return self._decode.apply(seconds) if self._corrected else seconds

    def step_s(self) -> float:
        """A step that only decodes."""
        decoding = self.view.decoding
        return self.service.law.seconds(decoding, decoding, self.view.kv_tokens)

    def starts_at(self, now: float) -> float:
        """When a prompt sent now would begin to be computed: behind the step under way."""
        if self.view.unstarted:
            return max(self.free_at, now)
        return now + (self.step_s() / 2 if self.view.running else 0.0)

    @property
    def typed_s(self) -> float:
        """Of what it must prefill, what the next key may take back."""
        return sum(self._typed.values())

    # -- what happens --------------------------------------------------------------------------

    def opened(self, attempt: Attempt, now: float) -> None:
        """It was sent a request; the ledger has counted it."""
        begins = max(self.free_at, now)
        if self.view.unstarted == 1:
            begins = now + (self.step_s() / 2 if self.view.running > 1 else 0.0)
        prefill_s = self.prefill_s(attempt.pending_prefill, attempt.cached_tokens)
        self.free_at = begins + prefill_s
        if is_typed(attempt.request):
            self._typed[attempt.request.id] = prefill_s
        alone = self.view.unstarted == 1
        self._sample = (attempt.request.id, self._law_first_s(attempt)) if alone else None
        self._rate = self.rate(now) + attempt.pending_prefill / _RATE_MEMORY_S
        self._rate_at = now
        self._weighed_at = -math.inf

    def begun(self, attempt: Attempt, now: float) -> None:
        """The first token of an attempt has come: a step has ended."""
        if self._sample is not None and self._sample[0] == attempt.request.id:
            self._prefill.observe(self._sample[1], max(1e-6, now - attempt.dispatched_at))
        self._sample = None
        self._typed.pop(attempt.request.id, None)
        self._anchor(now)

    def closed(self, attempt: Attempt, now: float) -> None:
        """An attempt is over."""
        tokens = attempt.emitted - attempt.resumed
        if attempt.first_token_at is not None and tokens > _ENOUGH_TOKENS:
            seconds = (now - attempt.first_token_at) / (tokens - 1)
            law_s = self.service.token_s(self.view.running + 1, self.view.kv_tokens, self.rate(now))
            if seconds > 0:
                self._decode.observe(law_s, seconds)
        self._typed.pop(attempt.request.id, None)
        self._anchor(now)

    def _anchor(self, now: float) -> None:
        """A step has just ended, and the next has begun: what is pending starts from now."""
        self._weighed_at = -math.inf
        unstarted = self.view.unstarted
        self.free_at = now + self.prefill_s(self.view.pending_prefill, 0) if unstarted else now

    # -- what is in flight ---------------------------------------------------------------------

    def harm(self, delay_s: float, now: float, lengths: Lengths) -> float:
        """Expected number of targets in flight that are missed because of so much delay."""
        if now - self._weighed_at > _STALE_S:
            self._weigh(now, lengths)
        place = min(bisect_right(_DELAYS, delay_s), len(_DELAYS) - 1)
        low, high = _DELAYS[place - 1], _DELAYS[place]
        before, after = self._losses[place - 1], self._losses[place]
        return before + (after - before) * min(1.0, (delay_s - low) / (high - low))

    def _weigh(self, now: float, lengths: Lengths) -> None:
        """The loss for some delays; what lies between is interpolated."""
        token_s = self.token_s(now)
        pairs = [
            self._margin(attempt, token_s, now, lengths)
            for attempt in self.view.attempts.values()
            if attempt.request.target.e2e_s is not None
        ]
        self._weighed_at = now
        if not pairs:
            self._losses = _NO_LOSSES
            return
        margins, spreads = np.array(pairs).T
        chances = _logistic((margins - _DELAY_COLUMN) / spreads).sum(axis=1)
        self._losses = (chances[0] - chances).tolist()

    def _margin(
        self, attempt: Attempt, token_s: float, now: float, lengths: Lengths
    ) -> tuple[float, float]:
        """Seconds to spare of an answer in flight, and how unsure that is."""
        length = lengths.of(attempt.request)
        begins, emitted = max(self.free_at, now), 0.0
        if attempt.first_token_at is not None:
            # Between two reports of its progress it has gone on.
            begins, emitted = now, (now - attempt.first_token_at) / token_s
            emitted = max(emitted, float(attempt.emitted))
        left = max(length.median - emitted, 0.25 * length.sigma * emitted + 1)
        margin = attempt.request.deadline - begins - left * token_s
        unsure = 0.6 * length.sigma * max(left, 0.3 * length.median) * token_s
        return margin, max(_LEAST_SPREAD_S, unsure)


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped: NDArray[np.float64] = np.clip(x, -30, 30)
    return 1 / (1 + np.exp(-clipped))
