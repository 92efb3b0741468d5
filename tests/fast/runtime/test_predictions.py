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


def busy_replica(*prompts: tuple[int, float]) -> tuple[Scheduler, Predictions]:
    """One replica with these prompts (tokens, time) waiting on it."""
    predictions, scheduler = Predictions(Metrics()), Scheduler(make_policy("round-robin"))
    scheduler.handle(ReplicaUp("replica-1", "m", 8, REFERENCE), 0.0)
    predictions.replica_up(scheduler.replicas[-1])
    for number, (tokens, time) in enumerate(prompts):
        name = f"other-{number}"
        other = Request(name, Task.GENERATION, "m", time, Target(ttft_s=1), tokens, 16)
        scheduler.handle(Submitted(other), time)
        predictions.of(other, "replica-1")
    return scheduler, predictions


def predicted_s(scheduler: Scheduler, predictions: Predictions, now: float) -> float:
    asked = Request("asked", Task.COMPLETION, "m", now, Target(ttft_s=0.25), 500, 16)
    scheduler.handle(Submitted(asked), now)
    found = predictions.of(asked, "replica-1")
    assert found is not None
    return found.service_s


def test_a_prediction_knows_how_far_the_step_under_way_is() -> None:
    """A prompt of 1,000 tokens takes 120 ms, one of 500 takes 70 ms after it."""
    assert predicted_s(*busy_replica((1000, 1.0)), 1.0) == pytest.approx(0.19, abs=0.005)
    assert predicted_s(*busy_replica((1000, 1.0)), 1.1) == pytest.approx(0.09, abs=0.02)


def test_a_prediction_counts_only_what_the_engine_takes_first() -> None:
    """What waits with a later priority does not delay it; what is computed already does."""
    scheduler, predictions = busy_replica((1000, 1.0), (1000, 1.05))
    both = predicted_s(scheduler, predictions, 1.1)
    scheduler, predictions = busy_replica((1000, 1.0), (1000, 1.05))
    (load,) = scheduler.replicas
    for waiting in load.attempts.values():
        waiting.priority = 9
    assert both - predicted_s(scheduler, predictions, 1.1) == pytest.approx(0.1, abs=0.03)
