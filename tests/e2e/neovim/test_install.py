"""The ways into Neovim that the guide names, besides a checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.e2e.neovim import documented
from tests.e2e.neovim.editor import Editor, Home, headless


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
        assert_help_works(editor)


def test_lazy_loads_the_plugin(person: Home, source: Path) -> None:
    """lazy.nvim calls `config` with the folder of the repository; nothing more of it is needed."""
    spec = documented.lazy()
    init = f"local spec = {spec}\nspec.config({{ dir = '{documented.REPOSITORY}' }})"
    with headless(person, init, source) as editor:
        assert editor.lua("return vim.fn.exists(':CatoSummarize')") == 2
        assert_help_works(editor)


def test_a_checkout_has_help(person: Home, source: Path) -> None:
    with headless(person, documented.plugin(), source) as editor:
        assert_help_works(editor)


def test_the_help_s_tags_are_current(person: Home, source: Path, tmp_path: Path) -> None:
    """They are part of the plugin: package managers make none for a folder of a repository."""
    shutil.copytree(documented.PLUGIN / "doc", tmp_path / "doc")
    (tmp_path / "doc/tags").unlink()
    with headless(person, "", source) as editor:
        editor.command(f"helptags {tmp_path / 'doc'}")
    assert (tmp_path / "doc/tags").read_text() == (documented.PLUGIN / "doc/tags").read_text()


def assert_help_works(editor: Editor) -> None:
    for subject in ("cato", ":CatoTranslate", "cato-settings"):
        editor.command(f"help {subject}")
        assert editor.lua("return vim.fn.expand('%:t')") == "cato.txt"
