"""What `cato serve` makes of its arguments before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.commands import serve, serve_config
from cato_backend.commands.arguments import Parser
from cato_backend.config import Config
from cato_backend.errors import ConfigError, EngineError
from cato_backend.fleet.choice import Fetch, ModelChoice
from cato_backend.model_store.registry import KnownModel, StoredModel, known_models

DEFAULT = known_models()[0].name


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the models that are fetched; none can be had."""
    names: list[str] = []

    def fail(model: KnownModel) -> StoredModel:
        names.append(model.name)
        raise EngineError(f"{model.name} cannot be had")

    monkeypatch.setattr(serve_config, "fetch_and_show", fail)
    return names


def config_of(*arguments: str) -> Config:
    parser = Parser()
    serve.configure(parser)
    return serve_config.serve_config(parser.parse_args(arguments))


def test_a_model_of_the_registry_is_fetched_by_its_name(fetched: list[str]) -> None:
    with pytest.raises(EngineError, match="cannot be had"):
        config_of("--model", DEFAULT)
    assert fetched == [DEFAULT]


def test_a_model_of_the_registry_in_the_file_is_fetched_too(
    fetched: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "cato.toml"
    file.write_text(f'[[models]]\nname = "m"\npath = "{DEFAULT}"\n')
    with pytest.raises(EngineError):
        config_of("--config", str(file))
    assert fetched == [DEFAULT]
    assert config_of("--config", str(file), "--colocated").models[0].path == DEFAULT
    assert fetched == [DEFAULT]


@pytest.mark.parametrize("arguments", [("--replica", "http://h:1"), ("--model", "embedded")])
def test_nothing_is_fetched_that_was_not_asked_for(
    fetched: list[str], arguments: tuple[str, ...]
) -> None:
    config_of(*arguments)
    assert fetched == []


def test_a_mistake_is_told_before_anything_is_fetched(fetched: list[str], tmp_path: Path) -> None:
    file = tmp_path / "cato.toml"
    file.write_text('[scheduling]\npolicy = "fastest"\n')
    with pytest.raises(ConfigError, match="fastest"):
        config_of("--config", str(file), "--model", "auto")
    assert fetched == []


@pytest.mark.parametrize("arguments", [(), ("--model", "auto")])
def test_two_models_share_the_tasks(
    monkeypatch: pytest.MonkeyPatch, fetched: list[str], arguments: tuple[str, ...]
) -> None:
    def chosen(fetch: Fetch | None, laws: Path | None) -> ModelChoice:
        assert (fetch is None, laws is None) == (False, False)
        return ModelChoice("/models/big", "", "", "", "embedded")

    monkeypatch.setattr(serve_config, "choose", chosen)
    config = config_of(*arguments)
    assert [(model.name, model.path) for model in config.models] == [
        ("big", "/models/big"),
        ("cato-embedded", "embedded"),
    ]
    assert config.tasks == {"completion": "cato-embedded"}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--tls-cert", "cert.pem"), r"server\.tls_key: got ''"),
        (("--token-file", "/nowhere/tokens"), r"server\.token_file: .*tokens: No such file or dir"),
        (("--replicas-from", ""), r"discovery\.sources: got '', expected a file, dns://"),
    ],
)
def test_files_are_checked_before_a_model_is_fetched(
    fetched: list[str], arguments: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        config_of(*arguments)
    assert fetched == []
