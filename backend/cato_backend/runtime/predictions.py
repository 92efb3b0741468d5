"""What was predicted of each call, and how true it came."""

from __future__ import annotations

from collections import defaultdict

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
        self._metrics = metrics
        self._laws: dict[str, ProfilePredictor] = {}
        self._bounds: dict[tuple[str, Task], Conformal] = {}
        self._times: defaultdict[str, LearnedTimes] = defaultdict(LearnedTimes)

    def replica_up(self, load: ReplicaLoad) -> None:
        """A replica takes requests; `load` is what the ledger keeps of it."""
        self._laws[load.replica_id] = ProfilePredictor(load)

    def replica_down(self, replica_id: str) -> None:
        """It takes no more."""
        self._laws.pop(replica_id, None)

    def times(self, model: str) -> LearnedTimes:
        """How long the model's calls with end-to-end targets take."""
        return self._times[model]

    def of(self, request: Request, replica_id: str) -> Predicted | None:
        """For a request that is dispatched now; None where it or the replica has gone since."""
        law = self._laws.get(replica_id)
        service_s = None if law is None else law.service_s(request, self._times[request.model])
        if service_s is None:
            return None
        return Predicted(service_s, self._bound(request).bound(service_s))

    def observe(self, flight: InFlightRequest, now: float) -> None:
        """The call's answer is whole."""
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
        self._metrics.prediction_error.labels(task).observe(error_s)
        held = "held" if observed_s <= predicted.bound_s else "exceeded"
        self._metrics.prediction_bounds.labels(task, held).inc()
        self._metrics.prediction_coverage.labels(request.model, task).set(bound.coverage)

    def _bound(self, request: Request) -> Conformal:
        return self._bounds.setdefault((request.model, request.task), Conformal())
