"""Service times by a replica's profile and by what the ledger says is on it."""

from __future__ import annotations

from cato_backend.prediction.call_times import LearnedTimes
from cato_backend.prediction.correction import LinearCorrection
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.prediction.usual import Usual
from cato_backend.prediction.workflows import PlannedCall
from cato_backend.profile_files.profile import Profile
from cato_backend.requests import Request
from cato_backend.scheduling import ReplicaLoad
from cato_backend.scheduling.replica import Attempt

_SMOOTHING = 0.05
_MOST = 5.0
"""A profile that is further off than this is not the replica's."""


class LawOfReplica:
    """One replica's, corrected by what was observed on it."""

    def __init__(self, profile: Profile, load: ReplicaLoad) -> None:
        self._service = ServiceModel.of(profile)
        self._load = load
        self._usual = Usual()
        self._first = LinearCorrection()
        """Of first tokens; its constant part is what surrounds the engine."""
        self._last = 1.0
        """Of last tokens: observed over the law's, in the mean, the length's uncertainty in it."""

    def service_s(self, request: Request, times: LearnedTimes) -> tuple[float, float] | None:
        """From dispatch to the promised token: as corrected, and by the law alone.

        The request has just been dispatched there; None where it has left since.
        """
        attempt = self._load.attempts.get(request.id)
        if attempt is None:
            return None
        work = Work(
            max(1, attempt.pending_prefill),
            attempt.cached_tokens,
            times.median_tokens(planned(request)),
        )
        state, service = self._state(attempt), self._service
        self._usual.sent(work.uncached, attempt.dispatched_at)
        if request.target.e2e_s is None:
            law_s = service.ttft_s(state, work)
            return self._first.apply(law_s), law_s
        law_s = service.e2e_s(state, work)
        return self._last * law_s, law_s

    def observe(self, request: Request, law_s: float, observed_s: float) -> None:
        """What the law had said, and how it was."""
        if request.target.e2e_s is None:
            self._first.observe(law_s, observed_s)
            return
        ratio = min(_MOST, max(1 / _MOST, observed_s / law_s))
        self._last += _SMOOTHING * (ratio - self._last)

    def _state(self, attempt: Attempt) -> ReplicaState:
        """What is on the replica beside this request, which has just been sent there."""
        load, now = self._load, attempt.dispatched_at
        self._usual.decodes(load.decoding, now)
        others = [a for a in load.attempts.values() if not a.started and a is not attempt]
        began = self._step_began(others)
        computing = [a for a in others if began is not None and a.dispatched_at <= began]
        # The engine takes what waits by priority; what it computes already goes on.
        ahead = [a for a in others if a.priority <= attempt.priority or a in computing]
        return ReplicaState(
            decoding=load.decoding,
            kv_tokens=max(0, load.kv_tokens - attempt.prompt_tokens),
            pending_prefill=sum(each.pending_prefill for each in ahead),
            unstarted=len(ahead),
            prefill_rate=self._usual.prefill_rate(now),
            usual_decoding=self._usual.decoding,
            computing=sum(each.pending_prefill for each in computing),
            since_step_s=None if began is None else now - began,
        )

    def _step_began(self, unstarted: list[Attempt]) -> float | None:
        """When the step under way began: with the last token, or on an idle engine with the first
        prompt that was sent. None where that is not known."""
        last = self._load.last_token_at
        if self._load.decoding:
            return last
        return min((each.dispatched_at for each in unstarted), default=last)


def planned(request: Request) -> PlannedCall:
    """The request as one call of a plan."""
    return PlannedCall(request.task, request.prompt_tokens, request.max_tokens)
