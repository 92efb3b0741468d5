"""One hub and one index for each test, and a cache of its own."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fast.model_store.sources import (
    Sources,
    engine_environment,
    fill_index,
    pip_variables,
    serving_sources,
)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Sources]:
    """The index has everything, the hub nothing."""
    with serving_sources() as found:
        fill_index(found)
        for name, value in pip_variables(found.url).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setenv("CATO_CACHE_DIR", str(tmp_path / "cache"))
        monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
        monkeypatch.setenv("no_proxy", "*")
        yield found


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An engine's environment."""
    return engine_environment(tmp_path / "engine")
