"""cato.toml: every bad field is refused by its name, with what was got and what was expected."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cato_backend.config import describe_config, load_config, parse_config
from cato_backend.errors import ConfigError
from cato_backend.wire.headers import Task


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"server": {"port": "x"}}, "server.port: got 'x', expected a valid integer"),
        ({"server": {"port": 70000}}, "server.port: got 70000, expected less than"),
        ({"server": {"prot": 1}}, "server.prot: no such field"),
        ({"sever": {}}, "sever: no such field"),
        ({"server": 3}, "server: got 3"),
        ({"replicas": [{"url": "ftp://x"}]}, "replicas.0.url: got 'ftp://x'"),
        ({"replicas": [{}]}, "replicas.0.url"),
        ({"replicas": [{"url": "localhost:8000"}]}, "the address of a server, such as http://"),
        ({"models": [{"name": "m", "replicas": 0}]}, "models.0.replicas: got 0"),
        ({"models": [{"name": "cato"}]}, "none may be 'cato'"),
        ({"models": [{"name": "cato-agent"}]}, "none may be 'cato-agent'"),
        ({"models": [{"name": "m"}, {"name": "m"}]}, "names must differ"),
        ({"targets": {"completion": {"ttft_ms": 1, "e2e_ms": 2}}}, "targets.completion"),
        ({"targets": {"completion": {"ttft_ms": -1}}}, "targets.completion.ttft_ms: got -1"),
        ({"tasks": {"typing": "m"}}, "tasks.typing"),
        ({"engine": {"kind": "tpu"}}, "engine.kind: got 'tpu'"),
        ({"provisioning": {"min_replicas": 3, "max_replicas": 2}}, "max_replicas must be 0 or at"),
        ({"provisioning": {"max_replicas": 2}}, "at least one of [[models]]"),
        ({"models": [{"name": "a", "min_replicas": 0}]}, "models.0.min_replicas: expected only"),
        ({"models": [{"name": "a", "sleep": True}]}, "models.0.sleep: expected only beside max"),
        (
            {"models": [{"name": "a"}, {"name": "b", "min_replicas": 3, "max_replicas": 2}]},
            "models.1: at least 3 and at most 2 replicas contradict each other",
        ),
        (
            {"models": [{"name": "a", "max_replicas": 1}], "provisioning": {"min_replicas": 2}},
            "models.0: at least 2 and at most 1 replicas contradict each other",
        ),
        (
            {"models": [{"name": "a"}, {"name": "b"}], "tasks": {"agent": "c"}},
            "tasks.agent: got 'c', expected one of a, b",
        ),
        ({"scheduling": {"max_waiting": True}}, "scheduling.max_waiting: got True"),
    ],
)
def test_a_bad_field_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(values)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "replica",
    [
        {"url": "http://ada:s3cret@gpu:8000"},
        {"url": "http://gpu:8000", "token": "s3cret s3cret"},
        {"url": "http://gpu:8000", "token": "s3cret\nx-other: 1"},
        {"url": "http://gpu:8000", "token": "s3crét"},
    ],
)
def test_a_secret_is_not_repeated_in_a_complaint(replica: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"replicas": [replica]})
    assert f"replicas.0.{list(replica)[-1]}: expected" in str(caught.value)
    assert "s3c" not in str(caught.value)


def test_a_replica_is_named_by_its_root_and_a_token_without_white_space() -> None:
    config = parse_config({"replicas": [{"url": "http://gpu:8000/v1/", "token": " key\n"}]})
    assert (config.replicas[0].url, config.replicas[0].token) == ("http://gpu:8000", "key")


def test_two_models_of_one_server_are_two_replicas() -> None:
    url = "http://h:1"
    replicas = [{"url": url, "model": "a"}, {"url": url, "model": "b"}]
    assert len(parse_config({"replicas": replicas}).replicas) == 2


@pytest.mark.parametrize("path", ["~nobody-of-this-name/x", "a\0b"])
@pytest.mark.parametrize(
    "field",
    [
        "server.token_file", "server.tls_cert", "server.tls_key", "server.event_log", "team.store",
        "scheduling.profile", "discovery.profile", "discovery.kubernetes_account", "usage.prices",
        "oidc.client_secret_file", "inventory.file", "models.0.path", "models.0.profile",
        "replicas.0.profile",
    ],
)  # fmt: skip
def test_what_no_path_can_be_is_refused_wherever_a_path_is_expected(field: str, path: str) -> None:
    section, *_, name = field.split(".")
    value: dict[str, Any] = {name: path}
    if section in ("models", "replicas"):
        value |= {"name": "m"} if section == "models" else {"url": "http://h:1"}
    with pytest.raises(ConfigError, match=rf"^{re.escape(field)}: got .*, expected a path"):
        parse_config({section: [value] if "0" in field else value})


def test_a_path_may_begin_with_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    config = parse_config({"server": {"tls_cert": "~/cert.pem"}, "models": [
        {"name": "a", "path": "~/models/a"}, {"name": "b", "path": "org/b"}
    ]})  # fmt: skip
    assert config.server.tls_cert == "/home/ada/cert.pem"
    assert config.server.token_file == ""
    assert [model.path for model in config.models] == ["/home/ada/models/a", "org/b"]


def test_overrides_lie_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "cato.toml"
    file.write_text('[server]\nport = 1\nhost = "::1"\n[targets.completion]\nttft_ms = 100\n')
    config = load_config(file, {"server": {"port": 2}})
    assert (config.server.port, config.server.host) == (2, "::1")
    assert config.targets.of(Task.COMPLETION).ttft_s == pytest.approx(0.1)
    assert config.targets.of(Task.TRANSLATION).e2e_s == 15


@pytest.mark.parametrize("content", [b"server = [", b"\xff"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "cato.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"cato\.toml: not TOML"):
        load_config(file, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "none.toml", {})


def test_every_field_is_described() -> None:
    lines = list(describe_config())
    assert any(line.startswith("server.port ") for line in lines)
    assert any(line.startswith("models[].path ") for line in lines)
    for line in lines:
        assert line.rpartition(")  ")[2], f"no description: {line}"


SECRET_REPLICA = {"url": "http://10.0.0.7:8000", "token": "not-to-be-shown"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"provisioning": {"max_replicas": 2}}, r"^provisioning\.max_replicas: at least one of"),
        ({"provisioning": {"min_replicas": 3, "max_replicas": 2}}, r"^provisioning: max_replicas"),
        ({"replicas": {"url": "http://a:1", "token": "not-to-be-shown"}}, r"^replicas: expected "),
        ({"replicas": [{"url": "http://a:1", "token": ["not-to-be-shown"]}]}, "token: expected a"),
        ({"discovery": {"token": 12345678}}, r"^discovery\.token: expected a valid string"),
    ],
)
def test_what_is_refused_is_named_and_no_token_is_shown(
    values: dict[str, object], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as refusal:
        load_config(None, {"replicas": [SECRET_REPLICA]} | values)
    assert "not-to-be-shown" not in str(refusal.value)
    assert "12345678" not in str(refusal.value)
