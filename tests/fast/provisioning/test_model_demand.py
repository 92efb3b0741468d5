"""What is asked of a model, from the events that the scheduler is told."""

from __future__ import annotations

import pytest

from cato_backend.provisioning.model_demand import ModelDemand
from cato_backend.requests import Target
from cato_backend.scheduling import Cancelled, Dispatch, Finished, Progressed, Submitted
from cato_backend.wire.headers import Task
from tests.fast.provisioning.traffic import NO_DECISIONS, PROFILE, request

E2E = {"task": Task.SUMMARIZATION, "target": Target(e2e_s=3.0)}


def served(demand: ModelDemand, number: int, at: float, **changed: object) -> None:
    """A request that is dispatched after 0.1 s, begins 0.2 s later and ends after a second."""
    asked = request(number, at, **changed)
    demand.observe(Submitted(asked), NO_DECISIONS, at)
    demand.observe(Progressed("else", 1, 1), [Dispatch(asked.id, "r", 1)], at + 0.1)
    demand.observe(Progressed(asked.id, 1, 1), NO_DECISIONS, at + 0.3)
    demand.observe(Progressed(asked.id, 1, 1), NO_DECISIONS, at + 0.5)
    demand.observe(Finished(asked.id, 1), NO_DECISIONS, at + 1.1)


def test_rates_budgets_and_lengths_by_class() -> None:
    demand = ModelDemand(PROFILE.model)
    for number in range(600):
        served(demand, number, number / 2)
    for number in range(600, 660):
        served(demand, number, 240 + (number - 600) / 2, **E2E)
    completion, summary = demand.demands({Task.SUMMARIZATION: 4}, 300.0)
    assert completion.rate == pytest.approx(2.0, rel=0.15)
    assert completion.service_s == pytest.approx(0.2)
    assert summary.service_s == pytest.approx(1.0)
    assert (completion.waiting, summary.waiting) == (0, 4)
    assert summary.budget_s == pytest.approx(3.0)


def test_demand_fades_and_other_models_do_not_count() -> None:
    demand = ModelDemand(PROFILE.model)
    demand.observe(Submitted(request(1, 0.0, model="other")), NO_DECISIONS, 0.0)
    assert demand.demands({}, 1.0) == ()
    demand.observe(Submitted(request(2, 0.0)), NO_DECISIONS, 0.0)
    demand.observe(Cancelled("2"), NO_DECISIONS, 1.0)
    (soon,), (later,) = demand.demands({}, 1.0), demand.demands({}, 1200.0)
    assert later.rate < soon.rate / 1000
