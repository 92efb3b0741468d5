"""Predictions, their bounds, and what the metrics say of them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from cato_backend.metrics import Metrics
from cato_backend.profile_files.profile import Profile
from cato_backend.requests import Request, Target
from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.in_flight import InFlightRequest
from cato_backend.runtime.predictions import Predictions
from cato_backend.scheduling import (
    Finished,
    Progressed,
    ReplicaUp,
    Scheduler,
    Submitted,
)
from cato_backend.scheduling.policies.base import FleetView, Place, Policy
from cato_backend.scheduling.policies.simple import RoundRobin
from cato_backend.scheduling.queue import Waiting
from cato_backend.scheduling.replica import ReplicaView
from cato_backend.wire.headers import Task
from cato_lab.simulation.fleet import REFERENCE


def with_a_replica(
    told: Profile | None, policy: Policy | None = None
) -> tuple[Scheduler, Predictions, Metrics]:
    metrics = Metrics()
    predictions, scheduler = Predictions(metrics), Scheduler(policy or RoundRobin())
    scheduler.handle(ReplicaUp("replica-1", "m", 8, told), 0.0)
    predictions.replica_up(scheduler.replicas[-1])
    return scheduler, predictions, metrics


def served(
    scheduler: Scheduler,
    predictions: Predictions,
    number: int,
    service_s: float,
    *,
    warm: bool = False,
) -> InFlightRequest:
    """One request of 1,000 tokens on the idle replica, whose first token takes `service_s`."""
    now = float(number)
    target = Target(ttft_s=1.0)
    request = Request(f"r{number}", Task.GENERATION, "m", now, target, 1000, 16, warm=warm)
    flight = InFlightRequest(Call(request, ApiKind.COMPLETION, {"prompt": "x"}))
    scheduler.handle(Submitted(request), now)
    flight.dispatched_at = now
    flight.predicted = predictions.of(request, "replica-1")
    flight.first_token_at = now + service_s
    scheduler.handle(Progressed(request.id, 1, 1, 1000, 0), now + service_s)
    predictions.observe(flight, now + 0.9)
    scheduler.handle(Finished(request.id, 1), now + 0.9)
    return flight


def predicted_of(flight: InFlightRequest) -> float:
    assert flight.predicted is not None
    return flight.predicted.service_s


def test_bounds_hold_nine_times_in_ten_and_the_metrics_say_so() -> None:
    dice = random.Random(1)
    scheduler, predictions, metrics = with_a_replica(REFERENCE)
    for number in range(2000):
        served(scheduler, predictions, number, min(0.8, dice.lognormvariate(-3, 0.5)))
    held = metrics.prediction_bounds.labels("generation", "held")._value.get()
    exceeded = metrics.prediction_bounds.labels("generation", "exceeded")._value.get()
    assert held + exceeded == 2000
    assert 0.88 <= held / 2000 <= 0.92
    assert 0.8 <= metrics.prediction_coverage.labels("m", "generation")._value.get() <= 1.0


def test_nothing_is_predicted_where_the_replica_is_gone() -> None:
    scheduler, predictions, _ = with_a_replica(REFERENCE)
    predictions.replica_down("replica-1")
    assert served(scheduler, predictions, 0, 0.1).predicted is None


def test_warming_counts_in_no_coverage() -> None:
    scheduler, predictions, metrics = with_a_replica(REFERENCE)
    served(scheduler, predictions, 0, 0.1, warm=True)
    assert metrics.prediction_bounds.labels("generation", "held")._value.get() == 0
    assert metrics.prediction_bounds.labels("generation", "exceeded")._value.get() == 0


@pytest.mark.parametrize("told", [REFERENCE, None])
def test_a_wrong_or_missing_profile_is_corrected_by_what_is_observed(told: Profile | None) -> None:
    """The replica is three times slower than the reference profile says."""
    scheduler, predictions, _ = with_a_replica(told)
    said = [predicted_of(served(scheduler, predictions, number, 0.36)) for number in range(40)]
    if told is not None:
        assert said[0] == pytest.approx(0.12, rel=0.05)
    assert said[5] == pytest.approx(0.36, rel=0.15)
    assert said[-1] == pytest.approx(0.36, rel=0.05)


@pytest.mark.parametrize("waits_s", [0.0, 0.5])
def test_waiting_for_a_slot_is_not_learned_as_computing(waits_s: float) -> None:
    """The time in the central queue makes no difference to what is predicted from the dispatch."""
    scheduler, predictions, _ = with_a_replica(REFERENCE)
    for number in range(40):
        now = float(number)
        target = Target(ttft_s=1.0)
        request = Request(f"r{number}", Task.GENERATION, "m", now - waits_s, target, 1000, 16)
        flight = InFlightRequest(Call(request, ApiKind.COMPLETION, {"prompt": "x"}))
        scheduler.handle(Submitted(request), now)
        flight.dispatched_at = now
        flight.predicted = predictions.of(request, "replica-1")
        scheduler.handle(Progressed(request.id, 1, 1, 1000, 0), now + 0.12)
        scheduler.handle(Finished(request.id, 1), now + 0.5)
    assert predicted_of(flight) == pytest.approx(0.12, rel=0.05)


class OthersLater(RoundRobin):
    """All but the request that is asked about have a later priority."""

    def place(self, waiting: Waiting, candidates: Sequence[ReplicaView], fleet: FleetView) -> Place:
        priority = 0 if waiting.request.id == "asked" else 9
        return super().place(waiting, candidates, fleet)._replace(priority=priority)


def busy_replica(
    *prompts: tuple[int, float], policy: Policy | None = None
) -> tuple[Scheduler, Predictions]:
    """One replica with these prompts (tokens, time) waiting on it."""
    scheduler, predictions, _ = with_a_replica(REFERENCE, policy)
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
    """A prompt of 1,000 tokens takes 120 ms, one of 500 takes 70 ms after it; 2 ms are its way in,
    as long as nothing is known of the way."""
    assert predicted_s(*busy_replica((1000, 1.0)), 1.0) == pytest.approx(0.192, abs=0.005)
    assert predicted_s(*busy_replica((1000, 1.0)), 1.1) == pytest.approx(0.09, abs=0.02)


def test_a_prediction_counts_only_what_the_engine_takes_first() -> None:
    """What waits with a later priority does not delay it; what is computed already does."""
    scheduler, predictions = busy_replica((1000, 1.0), (1000, 1.05))
    both = predicted_s(scheduler, predictions, 1.1)
    scheduler, predictions = busy_replica((1000, 1.0), (1000, 1.05), policy=OthersLater())
    assert both - predicted_s(scheduler, predictions, 1.1) == pytest.approx(0.1, abs=0.03)
