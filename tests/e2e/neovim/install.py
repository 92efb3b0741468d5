"""Finds a Neovim that has inline completion, and a tmux to see its screen; else fetches both.

They are kept in the cache folder under the version of Neovim. Run as a module, it prints them.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.e2e import debian_root

FEATURE = "assert(vim.lsp.inline_completion and vim.lsp.config and vim.pack)"


@dataclass(frozen=True, slots=True)
class Tools:
    """The programs, and the root that they were unpacked into."""

    root: Path
    version: str

    @property
    def nvim(self) -> Path:
        return self.root / "usr/bin/nvim"

    @property
    def tmux(self) -> Path:
        return self.root / "usr/bin/tmux"

    @property
    def environment(self) -> dict[str, str]:
        """What the programs need to find their own files."""
        return {"VIMRUNTIME": str(self.root / "usr/share/nvim/runtime")}


def tools() -> Tools:
    """The cached tools, fetched first where there are none. Raises Unavailable."""
    lack = "does not run or lacks inline completion"
    return debian_root.kept("testing", ["neovim", "tmux"], _inspect, lack)


def _inspect(root: Path) -> Tools | None:
    """The tools in `root` if they run and Neovim has what the tests are about."""
    candidate = Tools(root, "")
    try:
        version = _output(candidate, ["--version"])
        _output(candidate, ["--headless", "-u", "NONE", "-i", "NONE", f"+lua {FEATURE}", "+qall"])
        subprocess.run([candidate.tmux, "-V"], check=True, capture_output=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"NVIM v(\S+)", version)
    return Tools(root, found.group(1)) if found else None


def _output(candidate: Tools, arguments: list[str]) -> str:
    done = subprocess.run(
        [candidate.nvim, *arguments],
        env=candidate.environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    if "E5108" in done.stderr:
        raise subprocess.SubprocessError(done.stderr)
    return done.stdout


if __name__ == "__main__":
    print(tools())
