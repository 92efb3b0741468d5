"""Prompts that come before a step begins share it."""

from __future__ import annotations

import pytest

from cato_backend.prediction.service import ServiceModel
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.scheduling.policies.cato.long_prefills import PromptBatch
from cato_backend.scheduling.replica import ReplicaLoad

PROFILE = Profile(
    "m",
    "emulated",
    StepLaw("additive", base=0.2, per_new_token=0.0001),
    EngineLimits(max_num_batched_tokens=1000),
)
SERVICE = ServiceModel.of(PROFILE)
VIEW = ReplicaLoad("a", "m", 8, PROFILE)


@pytest.fixture
def batch() -> PromptBatch:
    """Begins at 1.0, with one prompt of 100 tokens."""
    found = PromptBatch(VIEW, SERVICE)
    found.begin(0, 0, 1.0)
    found.join(100, 0, 0.5)
    assert found.ends_at == pytest.approx(1.21)
    return found


def test_the_second_prompt_adds_its_tokens_and_no_step(batch: PromptBatch) -> None:
    assert batch.is_open(0.9)
    assert batch.ends_with(200, 0) == pytest.approx(1.23)
    batch.join(200, 0, 0.9)
    assert batch.ends_at == pytest.approx(1.23)


def test_nothing_joins_a_step_that_has_begun(batch: PromptBatch) -> None:
    assert not batch.is_open(1.0)
    batch.join(100, 0, 1.0)
    assert batch.ends_at == pytest.approx(1.42)


def test_what_fills_a_step_adds_another_which_is_open_until_it_begins(batch: PromptBatch) -> None:
    """Two steps of 0.54 s together: the last begins in the middle."""
    batch.join(1300, 0, 0.9)
    assert batch.ends_at == pytest.approx(1.54)
    assert batch.is_open(1.2)
    assert not batch.is_open(1.3)


def test_pending_prompts_are_begun_together() -> None:
    batch = PromptBatch(VIEW, SERVICE)
    batch.begin(600, 3, 5.0)
    assert batch.ends_at == pytest.approx(5.26)
    assert not batch.is_open(5.0)


def test_a_batch_without_prompts_ends_as_it_begins() -> None:
    batch = PromptBatch(VIEW, SERVICE)
    batch.begin(0, 0, 5.0)
    assert batch.ends_at == 5.0
