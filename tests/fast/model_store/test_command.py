"""`cato model`, as a person types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.__main__ import main
from cato_backend.commands import model as command
from cato_backend.model_store import registry
from cato_backend.model_store.fetching import FetchProgress, fetch
from cato_backend.model_store.registry import models_dir
from tests.fast.model_store.sources import CONTENT, Sources, tiny_model

MODEL = tiny_model()


@pytest.fixture(autouse=True)
def only_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry knows one model."""
    for module in (registry, command):
        monkeypatch.setattr(module, "known_models", lambda: (MODEL,))


def ignore(_: FetchProgress) -> None:
    """For those who do not watch."""


def test_list_fetch_remove(
    sources: Sources, environment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "list"]) == 0
    assert "tiny  (MIT; 0 MB to download)  not fetched" in capsys.readouterr().out
    sources.hub = CONTENT
    stored = fetch(MODEL, environment, ignore)
    assert main(["model", "fetch"]) == 0
    told = capsys.readouterr().out
    assert all(text in told for text in ("MIT", MODEL.sha256, sources.url, str(stored.path)))
    assert main(["model", "list"]) == 0
    assert str(stored.path) in capsys.readouterr().out
    assert main(["model", "remove", "Tiny"]) == 0
    assert [path for path in models_dir().iterdir() if path.is_dir()] == []
    assert main(["model", "remove", "tiny"]) == 1
    assert "nothing to remove" in capsys.readouterr().err


def test_what_a_broken_fetch_left_is_removed_too(
    sources: Sources, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources.hub = CONTENT
    monkeypatch.setenv("FAKE_CONVERSION", "fails")
    with pytest.raises(command.EngineError):
        fetch(MODEL, environment, ignore)
    assert main(["model", "remove", "tiny"]) == 0
    assert [path for path in models_dir().iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("action", ["fetch", "remove"])
def test_an_unknown_name_is_refused_with_those_that_are_known(
    sources: Sources, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    assert main(["model", action, "gpt-5"]) == 1
    assert "got 'gpt-5', expected one of tiny" in capsys.readouterr().err


def test_without_an_engine_it_says_how_to_get_one(
    sources: Sources, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "fetch", "tiny"]) == 1
    assert "cato engine install auto" in capsys.readouterr().err
