"""Relegated requests that were looked at in vain, and what lets them be looked at again."""

from __future__ import annotations

import pytest

from cato_backend.profile_files.profile import Profile, StepLaw
from cato_backend.scheduling.limits import LongPromptLimits
from cato_backend.scheduling.policies.cato.relegated_queue import LONGEST_S, RelegatedQueue
from cato_backend.scheduling.policies.cato.replica_model import ReplicaModel
from cato_backend.scheduling.replica import ReplicaLoad

NOW = 2.0
PROFILE = Profile("m", "emulated", StepLaw("additive", base=0.02, per_new_token=0.0001))


@pytest.fixture
def models() -> tuple[ReplicaModel, ReplicaModel]:
    """The replica that request `r` would take, and another that it looked at."""
    best, other = (ReplicaModel(ReplicaLoad(n, "m", 8, PROFILE), LongPromptLimits()) for n in "ab")
    best.free_at = other.free_at = 5.0
    return best, other


@pytest.fixture
def relegated(models: tuple[ReplicaModel, ReplicaModel]) -> RelegatedQueue:
    found = RelegatedQueue()
    found.add("r")
    found.park("r", models[0], models, NOW)
    return found


def test_a_freed_slot_on_a_busy_replica_wakes_no_request(
    relegated: RelegatedQueue, models: tuple[ReplicaModel, ReplicaModel]
) -> None:
    for model in models:
        relegated.freed(model, idle=False)
    assert not list(relegated.take_woken(NOW))
    assert "r" in relegated


@pytest.mark.parametrize("which", [0, 1])
def test_an_idle_replica_wakes_a_parked_request_once(
    relegated: RelegatedQueue, models: tuple[ReplicaModel, ReplicaModel], which: int
) -> None:
    relegated.freed(models[which], idle=True)
    assert list(relegated.take_woken(NOW)) == ["r"]
    relegated.park("r", models[0], models, NOW)
    relegated.freed(models[which], idle=True)
    assert not list(relegated.take_woken(NOW))
    relegated.loaded(models[which])
    relegated.freed(models[which], idle=True)
    assert list(relegated.take_woken(NOW)) == ["r"]


def test_the_best_replica_wakes_it_by_being_free_sooner(
    relegated: RelegatedQueue, models: tuple[ReplicaModel, ReplicaModel]
) -> None:
    best, other = models
    other.free_at = 3.0
    relegated.freed(other, idle=False)
    assert not list(relegated.take_woken(NOW))
    best.free_at = 4.0
    relegated.freed(best, idle=False)
    assert list(relegated.take_woken(NOW)) == ["r"]


def test_every_relegated_request_is_considered_again(
    relegated: RelegatedQueue, models: tuple[ReplicaModel, ReplicaModel]
) -> None:
    relegated.add("s")
    until = relegated.park("s", models[1], models, NOW + LONGEST_S)
    assert NOW + LONGEST_S < until <= NOW + 2 * LONGEST_S
    assert list(relegated.take_woken(NOW + LONGEST_S)) == ["r"]
    assert not list(relegated.take_woken(NOW + LONGEST_S))
    assert list(relegated.take_woken(until)) == ["s"]


def test_another_fleet_wakes_everybody(relegated: RelegatedQueue) -> None:
    relegated.wake_all()
    assert list(relegated.take_woken(NOW)) == ["r"]
    assert not list(relegated.take_woken(NOW))


def test_who_has_left_is_not_woken(
    relegated: RelegatedQueue, models: tuple[ReplicaModel, ReplicaModel]
) -> None:
    relegated.discard("r")
    relegated.discard("r")
    relegated.freed(models[0], idle=True)
    assert not list(relegated.take_woken(NOW))
    assert not len(relegated)
