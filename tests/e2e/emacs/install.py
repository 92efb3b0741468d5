"""An Emacs that has eglot, fetched into the cache folder and kept there under its version."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import debian_root

PACKAGE = "emacs-nox"
CHECK_S = 60


@dataclass(frozen=True, slots=True)
class Emacs:
    """The root that the program was unpacked into, and its version."""

    root: Path
    version: str

    @property
    def command(self) -> list[str]:
        """Emacs without a screen and without anybody's configuration."""
        dump = next((self.root / "usr/libexec").rglob("*.pdmp"))
        return [str(self.root / "usr/bin" / PACKAGE), f"--dump-file={dump}", "--batch", "-Q"]

    @property
    def environment(self) -> dict[str, str]:
        """What the program needs to find its own files."""
        share = self.root / "usr/share/emacs" / self.version
        folders = [share / "lisp", *(path for path in (share / "lisp").rglob("*") if path.is_dir())]
        programs = next((self.root / "usr/libexec/emacs" / self.version).iterdir())
        return {
            "EMACSLOADPATH": ":".join(
                str(f) for f in folders if f.name not in ("obsolete", "term")
            ),
            "EMACSDATA": str(share / "etc"),
            "EMACSDOC": str(share / "etc"),
            "EMACSPATH": str(programs),
        }


def emacs() -> Emacs:
    """The cached one, fetched first where there is none. Raises Unavailable."""
    return debian_root.kept("testing", [PACKAGE], _usable, "does not run")


def _usable(root: Path) -> Emacs | None:
    """The Emacs in `root`, if it runs and brings eglot along."""
    versions = [path.name for path in (root / "usr/share/emacs").glob("[0-9]*")]
    if not versions:
        return None
    found = Emacs(root, versions[0])
    try:
        command = [*found.command, "--eval", "(require 'eglot)"]
        subprocess.run(
            command, env=found.environment, check=True, capture_output=True, timeout=CHECK_S
        )
    except (OSError, StopIteration, subprocess.SubprocessError):
        return None
    return found
