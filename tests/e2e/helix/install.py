"""A Helix and a tmux to see its screen, fetched into the cache folder and kept there."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import debian_root

CHECK_S = 60


@dataclass(frozen=True, slots=True)
class Helix:
    """The root that the programs were unpacked into."""

    root: Path

    @property
    def command(self) -> list[str]:
        """Helix by the dynamic linker and the libraries of its own root."""
        libraries = next((self.root / "usr/lib").glob("*-linux-gnu"))
        linker = next(libraries.glob("ld-linux-*.so.*"))
        return [str(linker), "--library-path", str(libraries), str(self.root / "usr/lib/hx/hx")]

    @property
    def tmux(self) -> Path:
        return self.root / "usr/bin/tmux"

    @property
    def environment(self) -> dict[str, str]:
        """What Helix needs to find its own files."""
        return {"HELIX_RUNTIME": str(self.root / "usr/lib/hx/runtime")}


def helix() -> Helix:
    """The cached one, fetched first where there is none. Raises Unavailable."""
    return debian_root.kept("testing", ["hx", "tmux"], _usable, "does not run")


def _usable(root: Path) -> Helix | None:
    found = Helix(root)
    try:
        for command in ([*found.command, "--version"], [str(found.tmux), "-V"]):
            subprocess.run(command, check=True, capture_output=True, timeout=CHECK_S)
    except (OSError, StopIteration, subprocess.SubprocessError):
        return None
    return found
