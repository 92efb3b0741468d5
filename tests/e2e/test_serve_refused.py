"""Starts that cannot succeed: a clear line, and an exit status that says so."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from cato_backend.engines.environments import Environment
from tests.commands import CATO

IMPOSSIBLE = """
[[models]]
name = "cato-embedded"
path = "embedded"
max_model_len = 1000000
[engine]
kind = "cpu"
"""

pytestmark = pytest.mark.timeout(300)


def refused(state: Path, *arguments: str) -> str:
    """What `cato serve` says before it fails."""
    done = subprocess.run(
        [*CATO, "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "CATO_STATE_DIR": str(state)},
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr.splitlines()[0]
    return done.stderr


def test_a_model_that_is_not_there(tmp_path: Path, engine: Environment) -> None:
    said = refused(tmp_path, "--port", "0", "--model", "/nowhere/model")
    assert "cato serve: model /nowhere/model: there is no such folder" in said


def test_a_port_in_use(tmp_path: Path, engine: Environment) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(tmp_path, "--port", str(port), "--model", "embedded")
    assert str(port) in said
    assert "in use" in said


def test_an_engine_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATO_CACHE_DIR", str(tmp_path / "cache"))
    assert "run `cato engine install cpu`" in refused(
        tmp_path, "--port", "0", "--model", "embedded"
    )


def test_an_engine_that_dies_at_load(tmp_path: Path, engine: Environment) -> None:
    config = tmp_path / "cato.toml"
    config.write_text(IMPOSSIBLE)
    said = refused(tmp_path, "--port", "0", "--config", str(config))
    assert "replica-1 died while it loaded" in said
    assert "max_model_len" in said
    assert str(tmp_path / "logs" / "replica-1.log") in said
