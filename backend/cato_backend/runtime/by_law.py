"""Service times by a replica's profile and by what the ledger says is on it."""

from __future__ import annotations

from cato_backend.prediction.call_times import LearnedTimes
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.prediction.workflows import PlannedCall
from cato_backend.profile_files.profile import Profile
from cato_backend.requests import Request
from cato_backend.scheduling import ReplicaLoad

_SMOOTHING = 0.05
_MOST = 5.0
"""A profile that is further off than this is not the replica's."""


class LawOfReplica:
    """One replica's, corrected by what was observed on it."""

    def __init__(self, profile: Profile, load: ReplicaLoad) -> None:
        self._service = ServiceModel.of(profile)
        self._load = load
        self._scales = {True: 1.0, False: 1.0}
        """Observed over the law's, for first tokens and for last ones."""

    def service_s(self, request: Request, times: LearnedTimes) -> tuple[float, float] | None:
        """From dispatch to the promised token: as corrected, and by the law alone.

        The request has just been dispatched there; None where it has left since.
        """
        attempt = self._load.attempts.get(request.id)
        if attempt is None:
            return None
        pending, to_first = attempt.pending_prefill, request.target.e2e_s is None
        state = ReplicaState(
            decoding=self._load.decoding,
            kv_tokens=max(0, self._load.kv_tokens - attempt.prompt_tokens),
            pending_prefill=max(0, self._load.pending_prefill - pending),
            unstarted=max(0, self._load.unstarted - 1),
        )
        work = Work(max(1, pending), attempt.cached_tokens, times.median_tokens(planned(request)))
        service = self._service
        law_s = service.ttft_s(state, work) if to_first else service.e2e_s(state, work)
        return self._scales[to_first] * law_s, law_s

    def observe(self, request: Request, law_s: float, observed_s: float) -> None:
        """What the law had said, and how it was."""
        to_first = request.target.e2e_s is None
        ratio = min(_MOST, max(1 / _MOST, observed_s / law_s))
        self._scales[to_first] += _SMOOTHING * (ratio - self._scales[to_first])


def planned(request: Request) -> PlannedCall:
    """The request as one call of a plan."""
    return PlannedCall(request.task, request.prompt_tokens, request.max_tokens)
