"""An order reaches the agent and the node as it was given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cato_backend.engines.command import EmulationSpec, EngineSpec, ModelSpec
from cato_backend.engines.environments import EngineKind
from cato_backend.ray_cluster.orders import LifeOrder, NodeShare, order_from_json

ENGINES = [
    EmulationSpec("profile.json", 8, 512, 64, ("--speed", "2")),
    EngineSpec(EngineKind.GPU, Path("python"), gpu_memory_utilization=0.5, arguments=("--x", "y")),
    EngineSpec(EngineKind.CPU, Path("python"), cores=(1, 2), max_num_seqs=4),
]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_order_is_the_same_after_json(engine: EngineSpec | EmulationSpec) -> None:
    share = NodeShare(2, 0.5, {"pip": ["vllm==0.32.0"], "env_vars": {"A": "b"}}, 60)
    order = LifeOrder("replica-1-x", ModelSpec("m", "/m", 4096), engine, share, "key")
    assert order_from_json(json.loads(json.dumps(order.to_json()))) == order


def test_a_key_is_not_shown() -> None:
    order = LifeOrder("l", ModelSpec("m", "/m"), EmulationSpec(), NodeShare(1, 0), "s3cret")
    assert "s3cret" not in repr(order)


def test_what_is_not_wanted_is_not_in_the_bundle() -> None:
    assert NodeShare(1, 0).bundle == {"CPU": 1}
    assert NodeShare(0, 2).bundle == {"GPU": 2}
    assert str(NodeShare(4, 1)) == "4 CPU and 1 GPU"
