"""What a figure was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

_PACKAGES = ("cato-lsp", "aiohttp", "uvloop", "orjson")


def about(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Hardware, load and versions."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": f"{os.cpu_count()} x {models[0] if models else platform.machine()}",
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "kernel": platform.release(),
        **{package: version(package) for package in packages},
        "at": now(),
    }


def now() -> str:
    """The time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def commit() -> str:
    """The checkout's, or nothing where there is none."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    here = Path(__file__).parent
    done = subprocess.run(asked, cwd=here, capture_output=True, text=True, check=False)
    return done.stdout.strip()
