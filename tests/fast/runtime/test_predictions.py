"""Predictions, their bounds, and what the metrics say of them."""

from __future__ import annotations

import random

import pytest

from cato_backend.metrics import Metrics
from cato_backend.requests import Request, Target
from cato_backend.runtime.calls import Call, Kind
from cato_backend.runtime.flight import Flight
from cato_backend.runtime.predictions import Predictions
from cato_backend.scheduling import Finished, ReplicaUp, Scheduler, Submitted, make_policy
from cato_backend.simulation.reference import REFERENCE
from cato_backend.wire.headers import Task


def served(predictions: Predictions, service_s: float, warm: bool = False) -> Flight:
    request = Request("r", Task.COMPLETION, "m", 0.0, Target(ttft_s=0.25), 10, 16, warm=warm)
    flight = Flight(Call(request, Kind.COMPLETION, {"prompt": "x"}))
    flight.dispatched_at = 1.0
    flight.predicted = predictions.of(request, "replica-1")
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


def test_a_profile_predicts_before_anything_was_observed_and_is_corrected_after() -> None:
    """The replica is three times slower than its profile says."""
    metrics = Metrics()
    predictions, scheduler = Predictions(metrics), Scheduler(make_policy("round-robin"))
    scheduler.handle(ReplicaUp("replica-1", "m", 8, REFERENCE), 0.0)
    predictions.replica_up(scheduler.replicas[-1])
    said: list[float] = []
    for number in range(80):
        now = float(number)
        request = Request(f"r{number}", Task.GENERATION, "m", now, Target(ttft_s=1), 1000, 16)
        flight = Flight(Call(request, Kind.COMPLETION, {"prompt": "x"}))
        scheduler.handle(Submitted(request), now)
        flight.dispatched_at = now
        flight.predicted = predictions.of(request, "replica-1")
        assert flight.predicted is not None
        said.append(flight.predicted.service_s)
        flight.first_token_at = now + 0.36
        predictions.observe(flight, now + 0.5)
        scheduler.handle(Finished(request.id, 1), now + 0.5)
    assert said[0] == pytest.approx(0.12, rel=0.05)
    assert said[-1] == pytest.approx(0.36, rel=0.1)
    assert predictions.of(request, "replica-1") is not None
