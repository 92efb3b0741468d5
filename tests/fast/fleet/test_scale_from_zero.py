"""Which models have no replica until they are asked for something."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.config import parse_config
from cato_backend.fleet.launch import ScaleFromZero, plan_local
from cato_backend.fleet.states import ReplicaPhase, ReplicaStatuses

RESTS = {"min_replicas": 0, "max_replicas": 2}


def scaling_of(
    statuses: ReplicaStatuses, *models: dict[str, Any], **sections: Any
) -> ScaleFromZero:
    told = [{"name": f"m{number}", **each} for number, each in enumerate(models)]
    config = parse_config({"engine": {"kind": "emulated"}, "models": told, **sections})
    return ScaleFromZero(config, plan_local(config), statuses.all)


@pytest.fixture
def statuses() -> ReplicaStatuses:
    return ReplicaStatuses(lambda: 0.0)


@pytest.mark.parametrize(
    ("models", "sections", "starts"),
    [
        ([RESTS, RESTS], {}, False),
        ([RESTS], {"replicas": [{"url": "http://10.0.0.1"}]}, True),
        ([RESTS], {"discovery": {"sources": ["dns://a:1"]}}, True),
        ([RESTS, {}], {}, True),
        ([RESTS, {"min_replicas": 1, "max_replicas": 2}], {}, True),
        ([RESTS | {"sleep": True}], {}, True),
    ],
)
def test_what_starts_though_nothing_is_asked(
    statuses: ReplicaStatuses, models: list[dict[str, Any]], sections: dict[str, Any], starts: bool
) -> None:
    assert scaling_of(statuses, *models, **sections).starts_alone is starts


def test_a_model_that_was_given_up_cannot_start(statuses: ReplicaStatuses) -> None:
    both = scaling_of(statuses, RESTS, RESTS)
    assert both.rests()
    statuses.set("replica-1", ReplicaPhase.STARTING, "loads")
    assert both.can_start()
    assert not both.rests()
    statuses.set("replica-1", ReplicaPhase.FAILED, "broken")
    assert both.rests()
    statuses.set("replica-3", ReplicaPhase.FAILED, "broken, too")
    assert not both.can_start()


def test_a_model_that_always_has_replicas_is_not_waited_for(statuses: ReplicaStatuses) -> None:
    assert not scaling_of(statuses, {}, {"min_replicas": 1, "max_replicas": 2}).can_start()
