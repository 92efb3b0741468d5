"""Where a figure comes from: the commit, the command and the machine that made it."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("cato-lsp", "aiohttp", "uvloop", "orjson")
_OUTPUT_OPTIONS = ("--json", "--out", "--table", "--logs")


def save(path: Path, document: Mapping[str, Any], packages: Iterable[str] = _PACKAGES) -> None:
    """Write a result file: where it comes from, then `document`."""
    text = json.dumps({"origin": origin(packages), **document}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def origin(packages: Iterable[str] = _PACKAGES) -> dict[str, Any]:
    """Return commit, command, time, and machine with the versions of `packages`."""
    return {
        "commit": commit(),
        "command": command(sys.orig_argv),
        "at": now(),
        "machine": about(packages),
    }


def about(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Return the hardware, the load and the versions."""
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
    }


def now() -> str:
    """Return the time, to the minute."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def commit() -> str:
    """Return the checkout's commit, with `-dirty` where files other than results differ from it."""
    head = _git("rev-parse", "--short=7", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(exclude)results")
    return f"{head}-dirty" if head and changed else head or "unknown"


def _git(*arguments: str) -> str:
    here = Path(__file__).parent
    done = subprocess.run(
        ["git", *arguments], cwd=here, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def command(argv: Sequence[str]) -> str:
    """Return the command line of an interpreter as others can use it: without output options, and
    with the names of files and folders instead of their absolute paths."""
    kept, words = list[str](), iter(argv[1:])
    for word in words:
        if word in _OUTPUT_OPTIONS:
            next(words, None)
        elif word.partition("=")[0] not in _OUTPUT_OPTIONS:
            kept.append(Path(word).name if word.startswith("/") else word)
    return shlex.join(["python", *kept])
