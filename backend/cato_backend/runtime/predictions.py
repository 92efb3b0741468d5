"""What was predicted of each call, and how true it came."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from cato_backend.metrics import Metrics
from cato_backend.prediction.conformal import Conformal
from cato_backend.prediction.workflows import LearnedTimes
from cato_backend.requests import Request
from cato_backend.runtime.by_law import ProfilePredictor, planned
from cato_backend.runtime.in_flight import InFlightRequest, Predicted
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.headers import Task


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

    def times(self, model: str) -> LearnedTimes:
        """Return how long the model's calls with end-to-end targets take."""
        return self._times[model]

    def of(self, request: Request, replica_id: str) -> Predicted | None:
        """For a request that is dispatched now; None where it or the replica has gone since."""
        law = self._laws.get(replica_id)
        service_s = None if law is None else law.service_s(request, self._times[request.model])
        if service_s is None:
            return None
        return Predicted(service_s, self._bound(request).bound(service_s))

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
