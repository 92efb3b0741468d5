"""Predictions for each call by the learned law of its replica, and their errors."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from cato_backend.metrics import Metrics
from cato_backend.prediction.online import Conformal, LoadAverages
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.prediction.workflows import CallTimes, LearnedTimes, PlannedCall, TimesByLaw
from cato_backend.requests import Request
from cato_backend.runtime.in_flight import InFlightRequest, Predicted
from cato_backend.scheduling import Dispatch, ReplicaLoad
from cato_backend.scheduling.attempt import Attempt
from cato_backend.scheduling.journal import PredictionNote
from cato_backend.wire.headers import Task

_WAY_IN = 0.5
"""Of the overhead of a first token from an idle replica, what delays one on a busy replica: the
request's way in. The way out is as long for the tokens that show when the step under way began."""


class ProfilePredictor:
    """Predictions for one replica."""

    def __init__(self, load: ReplicaLoad) -> None:
        self._load = load
        self._usual = LoadAverages()

    @property
    def model(self) -> str:
        """The model that the replica serves."""
        return self._load.model

    def when_idle(self, times: LearnedTimes) -> CallTimes:
        """Return how long calls take: as `times` learned, before that by the replica's law."""
        return TimesByLaw(times, self._service(), self._load.learned.overhead_s)

    def service_s(self, request: Request, times: LearnedTimes) -> float | None:
        """From dispatch to the promised token.

        The request has just been dispatched there; None where it has left since.
        """
        attempt = self._load.attempts.get(request.id)
        if attempt is None:
            return None
        state = self._state(attempt)
        uncached, cached = max(1, attempt.pending_prefill), attempt.cached_tokens
        self._usual.sent(uncached, attempt.dispatched_at)
        if request.target.e2e_s is None:
            return self._ttft_s(state, Work(uncached, cached))
        work = Work(uncached, cached, output=times.median_tokens(planned(request)))
        return self._overhead_s(state) + self._service().e2e_s(state, work)

    def first_token_s(self, request_id: str) -> tuple[float, float] | None:
        """Return seconds from dispatch to the first token: as it is, and on an idle replica.

        Of a request that has just been dispatched there; None where it has left since.
        """
        attempt = self._load.attempts.get(request_id)
        if attempt is None:
            return None
        work = Work(max(1, attempt.pending_prefill), attempt.cached_tokens)
        return self._ttft_s(self._state(attempt), work), self._ttft_s(ReplicaState(), work)

    def _ttft_s(self, state: ReplicaState, work: Work) -> float:
        return self._overhead_s(state) + self._service().ttft_s(state, work)

    def _overhead_s(self, state: ReplicaState) -> float:
        overhead_s = self._load.learned.overhead_s
        return overhead_s * _WAY_IN if state.decoding or state.pending_prefill else overhead_s

    def _service(self) -> ServiceModel:
        learned = self._load.learned
        return ServiceModel(learned.law, learned.limits)

    def _state(self, attempt: Attempt) -> ReplicaState:
        """Return what is on the replica beside this request, which has just been sent there.

        The step under way began with the last token, or on an idle engine with the first prompt
        that was sent.
        """
        load, now = self._load, attempt.dispatched_at
        decoding = load.decoding
        self._usual.decodes(decoding, now)
        began = load.last_token_at if decoding else None
        pending = unstarted = computing = 0
        for each in load.silent.values():  # Oldest first.
            if each is attempt:
                continue
            if began is None:  # An idle engine began with the first prompt that was sent.
                began = each.dispatched_at
            # The engine takes what waits by priority; what it computes already continues.
            is_computed = each.dispatched_at <= began
            if not is_computed and not load.has_priorities:
                # A replica may run hundreds of attempts: what is behind this one is summed up.
                unstarted = load.unstarted - (not attempt.started)
                pending = load.pending_prefill - attempt.pending_prefill
                break
            if is_computed or each.priority <= attempt.priority:
                tokens = each.uncached_tokens
                unstarted += 1
                pending += tokens
                computing += tokens if is_computed else 0
        began = load.last_token_at if began is None else began
        return ReplicaState(
            decoding=decoding,
            kv_tokens=max(0, load.kv_tokens - attempt.prompt_tokens),
            pending_prefill=pending,
            unstarted=unstarted,
            prefill_rate=self._usual.prefill_rate(now),
            usual_decoding=self._usual.decoding,
            computing=computing,
            since_step_s=None if began is None else now - began,
        )


def planned(request: Request) -> PlannedCall:
    """Return the request as one call of a plan."""
    return PlannedCall(request.task, request.prompt_tokens, request.max_tokens)


class Predictions:
    """By the replica's learned law; bounds are learned from the residuals of each task."""

    def __init__(self, metrics: Metrics) -> None:
        self._error = cache(metrics.prediction_error.labels)
        self._coverage = cache(metrics.prediction_coverage.labels)
        self._checked = cache(metrics.prediction_bounds.labels)
        self._laws: dict[str, ProfilePredictor] = {}
        self._bounds: dict[tuple[str, Task], Conformal] = {}
        self._times: defaultdict[str, LearnedTimes] = defaultdict(LearnedTimes)

    def replica_up(self, load: ReplicaLoad) -> None:
        """Record that a replica takes requests; `load` is what the ledger keeps of it."""
        self._laws[load.replica_id] = ProfilePredictor(load)

    def replica_down(self, replica_id: str) -> None:
        """Take no more."""
        self._laws.pop(replica_id, None)

    def call_times(self, model: str) -> CallTimes:
        """Return how long the model's calls with end-to-end targets take."""
        times = self._times[model]
        one = next((each for each in self._laws.values() if each.model == model), None)
        return times if one is None else one.when_idle(times)

    def of(self, request: Request, replica_id: str) -> Predicted | None:
        """For a request that is dispatched now; None where it or the replica has gone since."""
        law = self._laws.get(replica_id)
        service_s = None if law is None else law.service_s(request, self._times[request.model])
        if service_s is None:
            return None
        return Predicted(service_s, self._bound(request).bound(service_s))

    def note(self, dispatch: Dispatch, predicted: Predicted) -> PredictionNote | None:
        """Return what was predicted of a request that is dispatched now; None where it has gone."""
        law = self._laws.get(dispatch.replica_id)
        found = None if law is None else law.first_token_s(dispatch.request_id)
        if found is None:
            return None
        request_id, attempt = dispatch.request_id, dispatch.attempt
        return PredictionNote(request_id, attempt, predicted.service_s, predicted.bound_s, *found)

    def observe(self, flight: InFlightRequest, now: float) -> None:
        """Record that the call's answer is whole."""
        request, first = flight.call.request, flight.first_token_at
        if request.warm or flight.dispatched_at is None or first is None:
            return
        promised = first if request.target.e2e_s is None else now
        observed_s = promised - flight.dispatched_at
        if request.target.e2e_s is not None:
            ttft_s, e2e_s = first - request.arrival, now - request.arrival
            times, tokens = self._times[request.model], flight.answer.tokens
            times.observe(planned(request), tokens, ttft_s, e2e_s)
        predicted = flight.predicted
        if predicted is not None and observed_s > 0:
            self._compare(request, predicted, observed_s)

    def _compare(self, request: Request, predicted: Predicted, observed_s: float) -> None:
        bound = self._bound(request)
        bound.observe(predicted.service_s, predicted.bound_s, observed_s)
        task = request.task
        error_s = abs(observed_s - predicted.service_s)
        self._error(task).observe(error_s)
        held = "held" if observed_s <= predicted.bound_s else "exceeded"
        self._checked(task, held).inc()
        self._coverage(request.model, task).set(bound.coverage)

    def _bound(self, request: Request) -> Conformal:
        key = (request.model, request.task)
        found = self._bounds.get(key)
        if found is None:
            found = self._bounds[key] = Conformal()
        return found
