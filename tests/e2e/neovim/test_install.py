"""The ways into Neovim that the guide names, besides a checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.e2e.neovim import documented
from tests.e2e.neovim.editor import Home, headless


def test_the_package_manager_installs_the_plugin(
    person: Home, source: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(documented.PLUGIN, repository / "neovim-plugin")
    for arguments in (
        ["init", "-q", "-b", "main"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "plugin"],
    ):
        subprocess.run(["git", *arguments], cwd=repository, check=True)
    with headless(person, documented.managed(repository.as_uri()), source) as editor:
        assert editor.lua("return vim.fn.exists(':CatoSummarize')") == 2
        assert editor.lua("return vim.lsp.config.cato.cmd[1]") == "cato-lsp"
