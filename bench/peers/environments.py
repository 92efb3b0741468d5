"""Each peer in a virtual environment of its own, pinned, kept in the user's cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from cato_backend.wire.state_files import cache_dir


@dataclass(frozen=True, slots=True)
class Pin:
    """What is installed for a peer: a requirement of pip's, exact."""

    requirement: str
    version: str

    def __str__(self) -> str:
        return f"{self.requirement}=={self.version}"


PINS = {
    "ray": Pin("ray[serve]", "2.60.0"),
    "vllm-router": Pin("vllm-router", "0.1.17"),
    "sglang-router": Pin("sglang-router", "0.3.2"),
    "litellm": Pin("litellm[proxy]", "1.106.2"),
}


def python_of(name: str) -> Path:
    """The interpreter of the peer's environment, which is made where it is absent.

    Raises subprocess.CalledProcessError where pip cannot install it.
    """
    folder = cache_dir() / "peers" / f"{name}-{PINS[name].version}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"installing {PINS[name]} into {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", str(PINS[name])], check=True)
        (folder / "complete").touch()
    return python
