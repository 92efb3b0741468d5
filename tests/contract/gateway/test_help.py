"""`cato serve --help-config`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.contract.gateway.serving import environment


def test_every_field_is_described(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "cato_backend", "serve", "--help-config"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout
    for field in ("server.idle_exit_s", "scheduling.silence_s", "replicas[].url", "tasks"):
        assert f"\n{field}  (" in f"\n{said}"
    assert all(line.rpartition(")  ")[2].strip() for line in said.splitlines())
