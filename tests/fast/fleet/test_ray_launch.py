"""What is planned for a Ray cluster, and which configuration is refused."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.config import Config, parse_config
from cato_backend.engines.command import EmulationSpec, EngineSpec
from cato_backend.engines.environments import EngineKind
from cato_backend.errors import ConfigError
from cato_backend.fleet import ray_launch
from cato_backend.fleet.ray_launch import check_ray, plan_on_ray, share_of

MODEL = {"name": "coder", "path": "Qwen/Qwen2.5-Coder-7B", "replicas": 2}


def config(kind: str, **ray: Any) -> Config:
    told = {"address": "10.0.0.1:6379"} | ray
    return parse_config({"engine": {"kind": kind}, "models": [MODEL], "ray": told})


@pytest.mark.parametrize(
    ("kind", "ray", "bundle"),
    [
        ("auto", {}, {"CPU": 1, "GPU": 1}),
        ("gpu", {"gpus": 2.0, "cpus": 8.0}, {"CPU": 8, "GPU": 2}),
        ("cpu", {"cpus": 4.0}, {"CPU": 4}),
        ("emulated", {}, {"CPU": 1}),
    ],
)
def test_what_ray_sets_aside(kind: str, ray: dict[str, Any], bundle: dict[str, float]) -> None:
    told = config(kind, **ray)
    assert share_of(told, told.models[0]).bundle == bundle


def test_a_replica_on_several_gpus_has_them_set_aside_on_one_node() -> None:
    spread = {**MODEL, "tensor_parallel": 4}
    told = parse_config({"models": [spread], "ray": {"address": "10.0.0.1:6379"}})
    assert share_of(told, told.models[0]).bundle == {"CPU": 1, "GPU": 4}
    engine = plan_on_ray(told)[0].spec.engine
    assert isinstance(engine, EngineSpec)
    assert engine.tensor_parallel == 4


@pytest.mark.parametrize(
    ("model", "ray", "kind", "said"),
    [
        ({"tensor_parallel": 4}, {"gpus": 2.0}, "gpu", "tensor_parallel: got 4, expected at most"),
        ({"tensor_parallel": 2}, {}, "cpu", "tensor_parallel: got 2, expected 1"),
        (
            {"engine_args": ["--tensor-parallel-size", "2"]},
            {},
            "gpu",
            "models.0.engine_args: --tensor-parallel-size 2 contradicts tensor_parallel = 1",
        ),
        (
            {"engine_args": ["--tensor_parallel_size=2"]},
            {},
            "gpu",
            "models.0.engine_args: --tensor-parallel-size 2 contradicts tensor_parallel = 1",
        ),
    ],
)
def test_a_spread_that_contradicts_itself_is_refused(
    model: dict[str, Any], ray: dict[str, Any], kind: str, said: str
) -> None:
    address = {"address": "10.0.0.1:6379"}
    told = parse_config({"engine": {"kind": kind}, "models": [MODEL | model], "ray": address | ray})
    with pytest.raises(ConfigError) as refused:
        plan_on_ray(told)
    assert said in str(refused.value)


def test_the_engine_follows_what_is_set_aside() -> None:
    on_gpus, on_cpus = plan_on_ray(config("auto")), plan_on_ray(config("auto", gpus=0.0))
    engines = [plan.spec.engine for plan in (*on_gpus, *on_cpus)]
    assert all(isinstance(engine, EngineSpec) for engine in engines)
    kinds = [engine.kind for engine in engines if isinstance(engine, EngineSpec)]
    assert kinds == [EngineKind.GPU, EngineKind.GPU, EngineKind.CPU, EngineKind.CPU]
    assert [plan.spec.replica_id for plan in on_gpus] == ["replica-1", "replica-2"]
    (first, _) = plan_on_ray(config("emulated"))
    assert isinstance(first.spec.engine, EmulationSpec)
    assert first.spec.model.path == "Qwen/Qwen2.5-Coder-7B"


def test_a_replica_is_known_by_all_its_gpus() -> None:
    for gpus in (2.0, 0.5):
        assert {each.expected.gpus for each in plan_on_ray(config("gpu", gpus=gpus))} == {gpus}


def test_a_scaled_fleet_is_planned_whole() -> None:
    told = config("emulated").model_dump() | {"provisioning": {"max_replicas": 5}}
    assert len(plan_on_ray(parse_config(told))) == 5


@pytest.mark.parametrize(
    ("ray", "said"),
    [
        ({"cpus": 0.0, "gpus": 0.0}, "cpus and gpus must not both be 0"),
        ({"cpus": -1.0}, "ray.cpus"),
        ({"orphan_s": 0.0}, "ray.orphan_s"),
        ({"adress": "x"}, "ray.adress: no such field"),
    ],
)
def test_bad_settings_are_refused_by_name(ray: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        config("auto", **ray)


@pytest.mark.parametrize("address", ["nonsense", "ray://head", "head:port", "http://head:10001"])
def test_an_address_that_is_none_is_named_before_a_missing_extra(address: str) -> None:
    with pytest.raises(ConfigError, match=f"ray.address: got '{address}', expected HOST:PORT"):
        check_ray(config("cpu", address=address))


@pytest.mark.parametrize(
    "address", ["auto", "10.0.0.1:6379", "head:6379", "ray://head.example.com:10001", "[::1]:6379"]
)
def test_without_the_extra_an_address_that_is_one_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(ray_launch.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError):
        check_ray(config("cpu", address=address))
