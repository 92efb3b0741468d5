"""What was predicted of each call, and how true it came."""

from __future__ import annotations

from collections import defaultdict

from cato_backend.metrics import Metrics
from cato_backend.prediction.call_times import LearnedTimes
from cato_backend.prediction.conformal import Conformal
from cato_backend.prediction.recent import RecentService
from cato_backend.prediction.workflows import PlannedCall
from cato_backend.requests import Request
from cato_backend.runtime.flight import Flight, Predicted
from cato_backend.wire.headers import Task


class Predictions:
    """Of one model each; bounds are learned per task from the residuals."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._recent = RecentService()
        self._bounds: dict[tuple[str, Task], Conformal] = {}
        self._times: defaultdict[str, LearnedTimes] = defaultdict(LearnedTimes)

    def times(self, model: str) -> LearnedTimes:
        """How long the model's calls of whole tasks take."""
        return self._times[model]

    def of(self, request: Request, service_s: float | None = None) -> Predicted | None:
        """For a request that is dispatched now. `service_s` is what the policy reckons; without it
        the task's recent mean serves. None before the first observation."""
        if service_s is None:
            service_s = self._recent.predict(request.model, request.task)
        if service_s is None:
            return None
        return Predicted(service_s, self._bound(request).bound(service_s))

    def observe(self, flight: Flight, now: float) -> None:
        """The call's answer is whole."""
        request = flight.call.request
        promised = flight.first_token_at if request.target.e2e_s is None else now
        if request.warm or flight.dispatched_at is None or promised is None:
            return
        if request.workflow is not None:
            self._learn_times(flight, now)
        observed_s = promised - flight.dispatched_at
        self._recent.observe(request.model, request.task, observed_s)
        predicted = flight.predicted
        if predicted is not None and observed_s > 0 and predicted.service_s > 0:
            self._compare(request, predicted, observed_s)

    def _learn_times(self, flight: Flight, now: float) -> None:
        request, answer = flight.call.request, flight.answer
        if flight.first_token_at is None:
            return
        call = PlannedCall(request.task, request.prompt_tokens, request.max_tokens)
        ttft_s = flight.first_token_at - request.arrival
        self._times[request.model].observe(call, answer.tokens, ttft_s, now - request.arrival)

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
