"""Predictions, their bounds, and what the metrics say of them."""

from __future__ import annotations

import random

from cato_backend.metrics import Metrics
from cato_backend.requests import Request, Target
from cato_backend.runtime.calls import Call, Kind
from cato_backend.runtime.flight import Flight
from cato_backend.runtime.predictions import Predictions
from cato_backend.wire.headers import Task


def served(predictions: Predictions, service_s: float, warm: bool = False) -> Flight:
    request = Request("r", Task.COMPLETION, "m", 0.0, Target(ttft_s=0.25), 10, 16, warm=warm)
    flight = Flight(Call(request, Kind.COMPLETION, {"prompt": "x"}))
    flight.dispatched_at = 1.0
    flight.predicted = predictions.of(request)
    flight.first_token_at = 1.0 + service_s
    predictions.observe(flight, 9.0)
    return flight


def test_bounds_hold_nine_times_in_ten_and_the_metrics_say_so() -> None:
    metrics, dice = Metrics(), random.Random(1)
    predictions = Predictions(metrics)
    for _ in range(2000):
        served(predictions, dice.lognormvariate(-3, 0.5))
    held = metrics.prediction_bounds.labels("completion", "held")._value.get()
    exceeded = metrics.prediction_bounds.labels("completion", "exceeded")._value.get()
    assert held + exceeded == 1999
    assert 0.88 <= held / 1999 <= 0.92
    assert 0.8 <= metrics.prediction_coverage.labels("m", "completion")._value.get() <= 1.0


def test_nothing_is_predicted_of_nothing_or_learned_from_warming() -> None:
    predictions = Predictions(Metrics())
    assert served(predictions, 0.1, warm=True).predicted is None
    assert served(predictions, 0.1).predicted is None
    predicted = served(predictions, 0.1).predicted
    assert predicted is not None
    assert predicted.service_s <= predicted.bound_s
