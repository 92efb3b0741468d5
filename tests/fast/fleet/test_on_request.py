"""Which models have no replica until they are asked for something."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.config import parse_config
from cato_backend.fleet.launch import OnRequest, plan_local
from cato_backend.fleet.states import ReplicaPhase, Standings

RESTS = {"min_replicas": 0, "max_replicas": 2}


def on_request(standings: Standings, *models: dict[str, Any], **sections: Any) -> OnRequest:
    told = [{"name": f"m{number}", **each} for number, each in enumerate(models)]
    config = parse_config({"engine": {"kind": "emulated"}, "models": told, **sections})
    return OnRequest(config, plan_local(config), standings.all)


@pytest.fixture
def standings() -> Standings:
    return Standings(lambda: 0.0)


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
    standings: Standings, models: list[dict[str, Any]], sections: dict[str, Any], starts: bool
) -> None:
    assert on_request(standings, *models, **sections).starts_alone is starts


def test_a_model_that_was_given_up_cannot_start(standings: Standings) -> None:
    both = on_request(standings, RESTS, RESTS)
    assert both.rests()
    standings.set("replica-1", ReplicaPhase.STARTING, "loads")
    assert both.can_start()
    assert not both.rests()
    standings.set("replica-1", ReplicaPhase.FAILED, "broken")
    assert both.rests()
    standings.set("replica-3", ReplicaPhase.FAILED, "broken, too")
    assert not both.can_start()


def test_a_model_that_always_has_replicas_is_not_waited_for(standings: Standings) -> None:
    assert not on_request(standings, {}, {"min_replicas": 1, "max_replicas": 2}).can_start()
