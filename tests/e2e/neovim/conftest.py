"""Neovim itself, a person's home, and the file that they work on."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.availability import had_or_skipped
from tests.e2e.backend import Backend, serve
from tests.e2e.neovim import install
from tests.e2e.neovim.editor import Home

TOKEN = "a-token-for-the-neovim-tests"
REPLY = """\

    return a - b
"""
SOURCE = """\
def add(a, b):
    return a + b


def scale(values, factor):
    return [value * factor for value in values]
"""


@pytest.fixture(scope="session")
def neovim() -> install.Tools:
    """Neovim and tmux; where they cannot be had the tests are skipped, with the reason."""
    found = had_or_skipped(install.tools, "NO NEOVIM, its end-to-end tests do not run")
    print(f"Neovim {found.version} in {found.root}")
    return found


@pytest.fixture(scope="package")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Generator[Backend, None, None]:
    """A backend that all tests share and none may end."""
    with serve(tmp_path_factory.mktemp("backend"), REPLY, token=TOKEN) as shared:
        yield shared


@pytest.fixture
def person(neovim: install.Tools, tmp_path: Path) -> Home:
    """Somebody with `cato-lsp` on their PATH, and nothing of CATO set or running."""
    scripts = sysconfig.get_path("scripts")
    variables = {
        "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
        "CATO_STATE_DIR": str(tmp_path / "cato-state"),
        "CATO_BACKEND_AUTOSTART": "false",
    }
    return Home(tmp_path, neovim, variables)


@pytest.fixture
def home(person: Home, backend: Backend) -> Home:
    """The same person with the shared backend in their environment."""
    return person.with_backend(backend.url, backend.token)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A Python file in a project."""
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    file = project / "sums.py"
    file.write_text(SOURCE)
    return file
