"""The extension as people install it: a .vsix, built from the sources as they are now."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from tests.e2e.availability import Unavailable

EXTENSION = Path(__file__).parents[3] / "vscode-extension"
TIMEOUT_S = 300


def build_vsix(folder: Path, wheel: Path) -> Path:
    """The package with the language server's wheel, built into `folder`.

    Raises Unavailable, RuntimeError.
    """
    version = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))["version"]
    vsix = folder / f"cato-{version}.vsix"
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("no npm: apt install nodejs npm")
    server = EXTENSION / "server"
    shutil.rmtree(server, ignore_errors=True)
    server.mkdir()
    shutil.copy(wheel, server)
    if not _dependencies_are_current():
        _run([npm, "ci", "--no-audit", "--no-fund"])
    _run([npm, "run", "--silent", "package", "--", "--out", str(vsix)])
    return vsix


def _dependencies_are_current() -> bool:
    """Whether npm's record of what it installed is younger than what it was told to install."""
    record = EXTENSION / "node_modules/.package-lock.json"
    lock = EXTENSION / "package-lock.json"
    return record.exists() and record.stat().st_mtime >= lock.stat().st_mtime


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=EXTENSION, timeout=TIMEOUT_S, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
