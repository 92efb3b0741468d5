"""Service times by what was learned of a replica, and by what the ledger says is on it."""

from __future__ import annotations

from cato_backend.prediction.averages import LoadAverages
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.prediction.workflows import LearnedTimes, PlannedCall
from cato_backend.requests import Request
from cato_backend.scheduling import ReplicaLoad
from cato_backend.scheduling.replica import Attempt

_WAY_IN = 0.5
"""Of the overhead of a first token from an idle replica, what delays one on a busy replica: the
request's way in. The way out is as long for the tokens that show when the step under way began."""


class ProfilePredictor:
    """One replica's."""

    def __init__(self, load: ReplicaLoad) -> None:
        self._load = load
        self._usual = LoadAverages()

    def service_s(self, request: Request, times: LearnedTimes) -> float | None:
        """From dispatch to the promised token.

        The request has just been dispatched there; None where it has left since.
        """
        attempt = self._load.attempts.get(request.id)
        if attempt is None:
            return None
        state, learned = self._state(attempt), self._load.learned
        uncached, cached = max(1, attempt.pending_prefill), attempt.cached_tokens
        self._usual.sent(uncached, attempt.dispatched_at)
        service = ServiceModel(learned.belief.law, learned.limits)
        busy = state.decoding or state.pending_prefill
        overhead_s = learned.belief.overhead_s * (_WAY_IN if busy else 1.0)
        if request.target.e2e_s is None:
            return overhead_s + service.ttft_s(state, Work(uncached, cached))
        output = times.median_tokens(planned(request))
        return overhead_s + service.e2e_s(state, Work(uncached, cached, output))

    def _state(self, attempt: Attempt) -> ReplicaState:
        """What is on the replica beside this request, which has just been sent there."""
        load, now = self._load, attempt.dispatched_at
        self._usual.decodes(load.decoding, now)
        # The attempt itself is one of the unstarted, unless its answer comes whole.
        alone = load.unstarted <= (0 if attempt.started else 1)
        others = [] if alone else _unstarted_beside(attempt, load)
        began = self._step_began(others)
        pending = unstarted = computing = 0
        for each in others:
            # The engine takes what waits by priority; what it computes already goes on.
            is_computed = began is not None and each.dispatched_at <= began
            if is_computed or each.priority <= attempt.priority:
                tokens = each.uncached_tokens
                unstarted += 1
                pending += tokens
                computing += tokens if is_computed else 0
        return ReplicaState(
            decoding=load.decoding,
            kv_tokens=max(0, load.kv_tokens - attempt.prompt_tokens),
            pending_prefill=pending,
            unstarted=unstarted,
            prefill_rate=self._usual.prefill_rate(now),
            usual_decoding=self._usual.decoding,
            computing=computing,
            since_step_s=None if began is None else now - began,
        )

    def _step_began(self, unstarted: list[Attempt]) -> float | None:
        """When the step under way began: with the last token, or on an idle engine with the first
        prompt that was sent. None where that is not known."""
        last = self._load.last_token_at
        if self._load.decoding:
            return last
        return min((each.dispatched_at for each in unstarted), default=last)


def _unstarted_beside(attempt: Attempt, load: ReplicaLoad) -> list[Attempt]:
    """The other attempts whose prompt is not computed. Reads fields, because a replica may run
    hundreds of attempts."""
    return [
        each
        for each in load.attempts.values()
        if each.first_token_at is None and each.request.streams and each is not attempt
    ]


def planned(request: Request) -> PlannedCall:
    """The request as one call of a plan."""
    return PlannedCall(request.task, request.prompt_tokens, request.max_tokens)
