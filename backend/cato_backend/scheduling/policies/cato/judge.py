"""The value of sending a request to a replica: expected goodput gained less goodput lost.

A decision to wait for a replica is kept as a `CachedHold` until something has come to change it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

from cato_backend.requests import Request
from cato_backend.scheduling.policies.cato.lengths import Lengths, normal
from cato_backend.scheduling.policies.cato.options import CatoOptions
from cato_backend.scheduling.policies.cato.order import ATTAINABLE, Pace
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.scheduling.policies.cato.replica_pool import ReplicaPool
from cato_backend.scheduling.queue import Waiting

_PER_STEP = 2e-3
"""Among equals the earlier one: goodput per step, too little to outweigh anything else."""
_TTFT_SPREAD_STEPS, _TTFT_SPREAD = 0.5, 0.1
"""Standard deviation of a predicted first token beside that of the law: in steps, and relative."""
_PACE_SPREAD = 0.15
"""Standard deviation of the mean time between tokens beside that of the law, logarithmic."""
_TPOT_SPREAD = 0.08
"""The same for the tokens of the near future, of which more is known."""
_ATTAINABLE_ASSUMED = 2.0
"""As `ATTAINABLE`, for clients that named no pace. A lower value allows a replica fewer answers at
once, to keep a pace that it cannot reach and that no client asked for. With an assumed
40 ms on replicas that take 40 ms for a step, 22 and 30 requests a second had their first tokens in
time to 91 and 83% with 1.5, 96 and 89% with 2, 98 and 94% with 3; with at most 80 ms a token, too,
91 and 83%, 95 and 86%, 88 and 76%."""
_TURNOVER_S = 3.0
"""After this long, two thirds of what distinguishes a replica's load from the mean is gone."""
_SCORE = attrgetter("score")


class Choice(NamedTuple):
    """One replica for one request."""

    model: ReplicaModel
    chance: float
    """Probability to meet the target there."""
    prefill_s: float
    starts_at: float
    score: float


class Judge:
    """Compares replicas."""

    def __init__(self, options: CatoOptions, lengths: Lengths) -> None:
        self._options = options
        self._lengths = lengths

    def best(self, choices: Iterable[Choice], now: float) -> Choice | None:
        """Return the best after the loss in flight, computed only where it can matter."""
        best: Choice | None = None
        for choice in sorted(choices, key=_SCORE, reverse=True):
            if best is not None and best.score >= choice.score:
                break
            judged = self._less_harm(choice, now) if self._options.in_flight else choice
            if best is None or judged.score > best.score:
                best = judged
        return best

    def choice(
        self,
        waiting: Waiting,
        model: ReplicaModel,
        cached: int,
        kept_s: float,
        fleet: Pace,
        now: float,
    ) -> Choice:
        """Return the request on this replica, behind `kept_s` of prefill that waits for it already.

        The score without the loss in flight. `fleet`: the mean pace of all replicas.
        """
        request = waiting.request
        uncached = request.prompt_tokens + waiting.emitted - cached
        prefill_s = model.prefill_s(uncached, cached)
        starts_at = model.starts_at(now)
        first_s = model.first_at(max(1, uncached), cached, prefill_s, now) + kept_s - now
        chance = self._chance(waiting, model, first_s, fleet, now)
        cost = self._options.price * model.work_s(uncached, cached) + _PER_STEP * first_s
        score = chance - cost / model.unit_s
        return Choice(model, chance, prefill_s, starts_at, score)

    def _less_harm(self, choice: Choice, now: float) -> Choice:
        delay_s = max(0.0, choice.prefill_s - choice.model.step_s())
        harm = self._options.harm * choice.model.harm(delay_s, now, self._lengths)
        return Choice(*choice[:-1], choice.score - harm)

    def _chance(
        self, waiting: Waiting, model: ReplicaModel, first_s: float, fleet: Pace, now: float
    ) -> float:
        """Return the probability that every part of the target is met."""
        request = waiting.request
        left_s = request.deadline - now - first_s
        if request.target.e2e_s is None:
            spread = math.hypot(_TTFT_SPREAD, model.spread) * first_s
            chance = normal(left_s / (_TTFT_SPREAD_STEPS * model.unit_s + spread))
            return chance * self._chance_of_pace(request, model, fleet, now)
        if left_s <= 0:
            return 0.0
        length = self._lengths.of(request)
        token_s = _lasting_token_s(model.token_s(now), fleet.token_s, left_s)
        tokens = left_s / token_s + waiting.emitted
        spread = math.hypot(length.sigma, _PACE_SPREAD, model.spread)
        return normal((math.log(tokens) - length.mu) / spread) if tokens >= 1 else 0.0

    def _chance_of_pace(
        self, request: Request, model: ReplicaModel, fleet: Pace, now: float
    ) -> float:
        """Return the probability that TPOT is met.

        Where no replica can meet it: that the request is served about as fast as alone, because
        what no replica can keep must not hold a request back.
        """
        if request.target.tpot_s is None:
            return 1.0
        attainable = ATTAINABLE if request.names_pace else _ATTAINABLE_ASSUMED
        tpot_s = max(request.target.tpot_s, attainable * fleet.lone_token_s)
        spread = math.hypot(_TPOT_SPREAD, model.spread)
        lasts_s = self._lengths.of(request).median * tpot_s
        token_s = _lasting_token_s(model.token_s(now), fleet.token_s, lasts_s)
        kept = normal(math.log(tpot_s / token_s) / spread)
        return kept if request.declared else 1 - self._options.paced * (1 - kept)


def _lasting_token_s(own_s: float, fleet_s: float, lasts_s: float) -> float:
    """Return the mean time between tokens over the next `lasts_s`.

    A replica that is busier than others now does not remain so. The difference decays with
    `_TURNOVER_S`.
    """
    share = lasts_s / _TURNOVER_S
    lasting = -math.expm1(-share) / share if share > 1e-6 else 1.0
    return fleet_s + (own_s - fleet_s) * lasting


class CachedHold(NamedTuple):
    """A request waits for a replica that will be ready for it at `until`.

    Every event lets the whole queue be looked at, and most events concern other replicas: to judge
    each request again took most of the time in large fleets.
    """

    best: Choice
    until: float
    looked_at: Sequence[ReplicaModel]
    changes: int
    """The pool's count when it was judged."""
    ahead_s: float
    """Prefill that others ahead of it in the queue will bring to the same replica."""

    def holds(self, pool: ReplicaPool, now: float) -> bool:
        """Return whether to judge again would come to the same.

        Meanwhile only time has passed, and that speaks against every replica but the one that it
        waits for.
        """
        return (
            now < self.until
            and pool.kept_s(self.best.model) == self.ahead_s
            and all(model.changed <= self.changes for model in self.looked_at)
        )
