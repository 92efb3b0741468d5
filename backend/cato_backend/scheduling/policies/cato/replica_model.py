"""The policy's model of one replica, beside the ledger's counts."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from cato_backend.prediction.service import ServiceModel
from cato_backend.requests import Request
from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.limits import LongPromptLimits
from cato_backend.scheduling.policies.cato.lengths import Lengths
from cato_backend.scheduling.policies.cato.long_prefills import LongPrefills, PromptBatch
from cato_backend.scheduling.policies.cato.order import Pace, is_typed
from cato_backend.scheduling.policies.cato.room import ObservedSlots, Room
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.wire.headers import Task

_RATE_MEMORY_S = 3.0
_USUAL_PROMPT = 1000
"""Tokens."""
_STALE_S = 0.25
_LEAST_SPREAD_STEPS = 1.5
"""Least standard deviation of a margin, in decode steps."""
_DELAY_STEPS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Delays for which the loss in flight is computed, in decode steps."""
_NO_LOSSES = [0.0] * len(_DELAY_STEPS)
_OVERDUE_STEPS = 25.0
"""Lateness of a first token, in decode steps, from which the replica counts as overdue."""
_OVERDUE_SHARE = 1.0
"""A first token that is late by d seconds is expected in this share of d from now on: the longer a
replica has been silent, the longer it will be (Lindy's law for heavy tails)."""


class ReplicaModel:
    """One replica: its predicted times, and the margins of what is in flight on it."""

    def __init__(self, view: ReplicaView, limits: LongPromptLimits) -> None:
        self.view = view
        self._believe()
        self.long = LongPrefills(self.service, limits.longer_than_s)
        self.free_at = 0.0
        """When the prefill that it was sent will be done, as predicted."""
        self._typed: dict[str, float] = {}
        self.agent_tokens = 0
        """Prompt tokens of agents' turns that run there."""
        self.changed = 0
        """When it had more or less to do last, by the pool's count of changes."""
        self._rate = self._rate_at = 0.0
        self._losses = _NO_LOSSES
        self._weighed_at = -math.inf
        self._batch = PromptBatch(view, self.service)
        self._observed = ObservedSlots()
        self.room = Room(view, self._observed)

    # -- predicted times -----------------------------------------------------------------------

    def _believe(self) -> None:
        learned = self.view.learned
        self._belief = learned.belief
        self.service = ServiceModel(self._belief.law, learned.limits)
        self.spread = math.hypot(self._belief.spread, self._belief.noise)
        """Relative standard deviation of a predicted time: of the law, and of steps around it."""
        self.unit_s = self.service.law.seconds(1, 1, _USUAL_PROMPT)
        """Seconds of a step for one sequence: the replica's own unit of time. It does not depend on
        load, so that what is measured in it can be compared."""

    def rate(self, now: float) -> float:
        """Uncached prompt tokens that were computed a second, over the last seconds."""
        return self._rate * math.exp((self._rate_at - now) / _RATE_MEMORY_S)

    def prefill_s(self, uncached: int, cached: int) -> float:
        """Return seconds to compute a prompt, once its turn has come."""
        view, uncached = self.view, max(1, uncached)
        seconds = self.service.prompt_s(view.decoding, view.kv_tokens, uncached, cached)
        if self.long.beside:
            steps = self.service.steps(view.decoding, uncached)
            seconds += steps * self.long.added_s(view.decoding, view.kv_tokens)
        return seconds

    def first_at(self, uncached: int, cached: int, prefill_s: float, now: float) -> float:
        """Return when a prompt sent now would be computed that takes `prefill_s` by itself."""
        alone_at = self.starts_at(now) + prefill_s
        if not self.queued or not self._batch.is_open(now):
            return alone_at
        return min(alone_at, self._batch.ends_with(uncached, cached))

    def work_s(self, uncached: int, cached: int) -> float:
        """Return seconds of computing that a prompt adds, wherever it shares its steps."""
        return self.service.work_s(uncached, cached)

    def token_s(self, now: float) -> float:
        """Return seconds between two tokens, with one more sequence and recent prefills."""
        return self.service.token_s(self.view.running + 1, self.view.kv_tokens, self.rate(now))

    def pace(self, now: float) -> Pace:
        """Return what a request costs here."""
        prompt_token_s = self.prefill_s(_USUAL_PROMPT, 0) / _USUAL_PROMPT
        return Pace(prompt_token_s, self.token_s(now), self.unit_s)

    def step_s(self) -> float:
        """Return seconds of a step that only decodes, and computes chunks of long prompts."""
        decoding, kv_tokens = max(1, self.view.decoding), self.view.kv_tokens
        step_s = self.service.law.seconds(decoding, decoding, kv_tokens)
        return step_s + self.long.added_s(decoding, kv_tokens) if self.long.beside else step_s

    @property
    def queued(self) -> int:
        """Prompts that are computed before one that is sent now."""
        return self.view.unstarted - self.long.beside

    def starts_at(self, now: float) -> float:
        """Return when a prompt sent now would begin to be computed: behind the step under way."""
        if not self.queued:
            return now + (self.step_s() / 2 if self.view.running else 0.0)
        overdue_s = max(0.0, now - self.free_at)
        return max(self.free_at, now + _OVERDUE_SHARE * overdue_s)

    def is_overdue(self, now: float) -> bool:
        """Return whether a first token is later than any error of the law explains.

        What is known of the replica no longer says when it will be free.
        """
        late_s = now - self.free_at
        return self.queued > 0 and late_s > _OVERDUE_STEPS * self.unit_s

    @property
    def typed_s(self) -> float:
        """Seconds of prefill outstanding that the next key may cancel."""
        return sum(self._typed.values())

    # -- what happens --------------------------------------------------------------------------

    def opened(self, attempt: Attempt, now: float) -> None:
        """Record that it was sent a request; the ledger has counted it."""
        if attempt.request.task is Task.AGENT:
            self.agent_tokens += attempt.request.prompt_tokens
        begins = max(self.free_at, now)
        if self.queued == 1:
            begins = now + (self.step_s() / 2 if self.view.running > 1 else 0.0)
        uncached, cached = attempt.pending_prefill, attempt.cached_tokens
        prefill_s = self.prefill_s(uncached, cached)
        if not self.long.add(attempt.request.id, uncached, cached, begins, prefill_s):
            if self.queued == 1:
                self._batch.begin(0, 0, begins)
            self._batch.join(max(1, uncached), cached, now)
            self.free_at = begins + prefill_s
        if is_typed(attempt.request):
            self._typed[attempt.request.id] = prefill_s
        self._weighed_at = -math.inf

    def begun(self, attempt: Attempt, now: float) -> None:
        """Record that the first token of an attempt has arrived: a step has ended."""
        self._rate, self._rate_at = self.rate(now) + self._rate_of(attempt), now
        self._observed.began(self.view.decoding, now)
        self._ended(attempt, now)

    def _rate_of(self, attempt: Attempt) -> float:
        """Return what its prompt adds to the mean rate.

        What was computed longer ago counts for less.
        """
        computed, cached = attempt.uncached_tokens, attempt.cached_tokens
        if computed <= self.long.bound:
            return computed / _RATE_MEMORY_S
        took_s = self.prefill_s(computed, cached)
        return computed / took_s * -math.expm1(-took_s / _RATE_MEMORY_S)

    def closed(self, attempt: Attempt, now: float) -> None:
        """Record that an attempt is over."""
        if attempt.request.task is Task.AGENT:
            self.agent_tokens -= attempt.request.prompt_tokens
        if not attempt.silent:
            self._look_for_slots(now)
        self._ended(attempt, now)

    def _look_for_slots(self, now: float) -> None:
        """Record the end of an answer, for which another request may have waited."""
        view = self.view
        if not view.unstarted or not self._observed.may_show(view.decoding + 1):
            return
        waits = next(each for each in view.attempts.values() if not each.started)
        prompt_s = self.prefill_s(waits.pending_prefill, waits.cached_tokens)
        self._observed.ended(waits.dispatched_at, prompt_s, now)

    def _ended(self, attempt: Attempt, now: float) -> None:
        """Record that the prompt is no longer pending: what is pending starts from now."""
        self._typed.pop(attempt.request.id, None)
        self.long.remove(attempt.request.id)
        self._weighed_at = -math.inf
        if self.view.learned.belief is not self._belief:
            self._believe()
            self.long.believe(self.service)
            self._batch.believe(self.service)
        view = self.view
        self.free_at = now + self.long.blocking_s(now)
        prompts = view.unstarted - len(self.long)
        uncached = view.pending_prefill - self.long.tokens
        self._batch.begin(uncached, prompts, self.free_at)
        self.free_at = self._batch.ends_at

    # -- what is in flight ---------------------------------------------------------------------

    def harm(self, delay_s: float, now: float, lengths: Lengths) -> float:
        """Return the expected number of targets in flight that such a delay would miss."""
        if now - self._weighed_at > _STALE_S:
            self._weigh(now, lengths)
        delay = delay_s / self.unit_s
        place = min(bisect_right(_DELAY_STEPS, delay), len(_DELAY_STEPS) - 1)
        low, high = _DELAY_STEPS[place - 1], _DELAY_STEPS[place]
        before, after = self._losses[place - 1], self._losses[place]
        return before + (after - before) * min(1.0, (delay - low) / (high - low))

    def _weigh(self, now: float, lengths: Lengths) -> None:
        """Return the loss for some delays; what lies between is interpolated."""
        token_s, unit_s = self.token_s(now), self.unit_s
        pairs = [
            self._margin(attempt, token_s, now, lengths)
            for attempt in self.view.attempts.values()
            if _is_paced(attempt.request)
        ]
        self._weighed_at = now
        if not pairs:
            self._losses = _NO_LOSSES
            return
        margins, spreads = np.array(pairs).T
        delays = unit_s * np.array(_DELAY_STEPS)[:, None]
        chances = _logistic((margins - delays) / np.maximum(spreads, _LEAST_SPREAD_STEPS * unit_s))
        self._losses = (chances.sum(axis=1)[0] - chances.sum(axis=1)).tolist()

    def _margin(
        self, attempt: Attempt, token_s: float, now: float, lengths: Lengths
    ) -> tuple[float, float]:
        """Return seconds to spare of an answer in flight, and their standard deviation."""
        request = attempt.request
        length = lengths.of(request)
        begins, emitted = max(self.free_at, now), 0.0
        if attempt.first_token_at is not None:
            # Between two reports of its progress it has gone on.
            begins, emitted = now, (now - attempt.first_token_at) / token_s
            emitted = max(emitted, float(attempt.emitted))
        left = max(length.median - emitted, 0.25 * length.sigma * emitted + 1)
        if request.target.e2e_s is not None:
            unsure = 0.6 * length.sigma * max(left, 0.3 * length.median) * token_s
            return request.deadline - begins - left * token_s, unsure
        tpot_s = request.target.tpot_s or 0.0
        first = attempt.first_token_at or begins
        # Whatever the length, its mean pace must stay within the target: a long rest dilutes delay.
        margin = first + tpot_s * (emitted + left) - begins - left * token_s
        return margin, self.spread * left * token_s


def _is_paced(request: Request) -> bool:
    """Return whether delays after its first token can make the request miss its target."""
    return request.target.e2e_s is not None or request.target.tpot_s is not None


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    clipped: NDArray[np.float64] = np.clip(x, -30, 30)
    return 1 / (1 + np.exp(-clipped))
