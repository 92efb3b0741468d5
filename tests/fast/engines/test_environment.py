"""What programs of others find in their environment."""

from __future__ import annotations

import pytest

from cato_backend.engines.pip import clean_environment


@pytest.mark.parametrize(
    "name",
    [
        "CATO_OIDC_CLIENT_SECRET",
        "CATO_BACKEND_TOKEN",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "NOTIFY_SOCKET",
        "PYTHONPATH",
    ],
)
def test_neither_secrets_nor_foreign_packages(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "x")
    assert name not in clean_environment()


@pytest.mark.parametrize("name", ["CATO_STATE_DIR", "HF_TOKEN", "OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_all_else(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The token of a model hub is what an engine fetches models with."""
    monkeypatch.setenv(name, "x")
    assert clean_environment()[name] == "x"
