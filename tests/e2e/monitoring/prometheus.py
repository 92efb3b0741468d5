"""Prometheus and promtool of Debian's packages, unpacked beside the system; nothing is installed.

Both need no more than the system's C library, so that they run where they lie.
"""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cato_backend.wire.state_files import cache_dir
from tests.e2e.backend import free_port
from tests.e2e.debian_root import unpack_alone
from tests.e2e.waiting import wait_for

STOP_S = 15


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths."""

    prometheus: Path
    promtool: Path


def ensure_programs() -> Programs:
    """Return the programs, downloaded where they are missing. Raises Unavailable."""
    folder = cache_dir() / "tools" / "prometheus-and-promtool"
    if not folder.exists():
        unpack_alone(folder, "stable", ["prometheus", "promtool"])
    return Programs(folder / "usr/bin/prometheus", folder / "usr/bin/promtool")


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running one."""

    url: str

    def get(self, path: str, **query: str) -> Any:
        """Return the data of an answer of its API."""
        asked = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)["data"]


@contextmanager
def running(program: Path, config: Path, folder: Path) -> Iterator[Prometheus]:
    """Runs until the block ends."""
    address = f"127.0.0.1:{free_port()}"
    command = [
        *(str(program), f"--config.file={config}", f"--storage.tsdb.path={folder}"),
        f"--web.listen-address={address}",
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            prometheus = Prometheus(f"http://{address}")
            wait_for("Prometheus", lambda: _is_ready(prometheus.url))
            yield prometheus
        finally:
            process.terminate()
            process.wait(STOP_S)


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
