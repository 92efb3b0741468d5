"""What of a changed configuration a running server takes over."""

from __future__ import annotations

from cato_backend.config import Config, describe_config, parse_config
from cato_backend.config.loading import LIVE, change_of, is_live
from cato_backend.wire.headers import Task

BEFORE = parse_config({})


def test_live_fields_are_taken_over_and_others_wait_for_a_restart() -> None:
    assert BEFORE.targets.of(Task.COMPLETION).ttft_s == 0.25  # It is remembered from now on.
    after = parse_config(
        {
            "targets": {"completion": {"ttft_ms": 400, "worthless_after_ms": 500}},
            "log": {"level": "debug"},
            "server": {"port": 9, "drain_s": 5, "trusted_proxies": ["10.0.0.1"]},
            "models": [{"name": "m"}],
        }
    )
    change = change_of(BEFORE, after)
    applied = {"log.level", "server.drain_s", "server.trusted_proxies"}
    assert set(change.applied) == applied | {"targets.completion.ttft_ms"}
    assert set(change.waiting) == {"server.port", "models"}
    assert change.config.targets.of(Task.COMPLETION).ttft_s == 0.4
    assert change.config.server.drain_s == 5
    assert change.config.server.port == BEFORE.server.port
    assert change.config.models == ()
    assert str(change).startswith("changed: server.trusted_proxies, server.drain_s")
    assert str(change).endswith("; needs a restart: server.port, models")


def test_no_value_is_told() -> None:
    after = parse_config({"replicas": [{"url": "http://gpu:8000", "token": "s3cret"}]})
    change = change_of(BEFORE, after)
    assert str(change) == "nothing changed; needs a restart: replicas"


def test_the_same_configuration_changes_nothing() -> None:
    change = change_of(BEFORE, BEFORE)
    assert (str(change), change.config) == ("nothing changed", BEFORE)


def test_every_live_name_is_a_section_or_a_field() -> None:
    for name in LIVE:
        section, _, field = name.partition(".")
        fields = Config.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
        assert not field or field in fields
    lines = list(describe_config())
    assert any("; live)" in line for line in lines if line.startswith("log.level"))
    assert not any("; live)" in line for line in lines if line.startswith("server.port"))
    assert is_live("targets.agent.e2e_ms")
    assert not is_live("logs")
