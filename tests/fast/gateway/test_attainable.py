"""Targets that hardware can meet."""

from __future__ import annotations

import pytest

from cato_backend.config.targets import TargetsConfig
from cato_backend.gateway.hardware_targets import stretch
from cato_backend.prediction.service import ServiceModel
from cato_backend.profile_files.profile import EngineLimits, StepLaw
from cato_backend.requests import Target
from cato_backend.wire.headers import Task

TARGETS = TargetsConfig()
GPU = ServiceModel(StepLaw("additive", base=0.012, per_new_token=0.00005), EngineLimits())
CPU = ServiceModel(StepLaw("additive", base=0.080, per_new_token=0.004), EngineLimits())


@pytest.mark.parametrize("task", list(Task))
def test_a_gpu_meets_the_configured_targets(task: Task) -> None:
    assert stretch(GPU, 0.005, task, TARGETS.of(task)).times == 1.0


@pytest.mark.parametrize("task", [Task.GENERATION, Task.SUMMARIZATION, Task.TRANSLATION])
def test_a_cpu_gets_what_it_needs_alone_and_a_quarter_more(task: Task) -> None:
    target = TARGETS.of(task)
    found = stretch(CPU, 0.0, task, target)
    assert found.times > 1.0
    assert found.times * target.budget_s == pytest.approx(1.25 * found.alone_s, rel=0.01)


@pytest.mark.parametrize("task", [Task.COMPLETION, Task.GENERATION])
def test_a_target_for_the_whole_answer_counts_its_tokens(task: Task) -> None:
    first = stretch(CPU, 0.0, task, Target(ttft_s=0.1))
    whole = stretch(CPU, 0.0, task, Target(e2e_s=0.1))
    assert whole.alone_s > first.alone_s + 1.0


def test_the_target_of_a_completion_is_never_extended_beyond_a_second() -> None:
    target = TARGETS.of(Task.COMPLETION)
    found = stretch(CPU, 0.0, Task.COMPLETION, target)
    assert found.alone_s > 1.0
    assert found.times * target.budget_s == 1.0
