"""The editor, the browser, a person's folder, and a backend for them."""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext

from cato_backend.wire.state_files import cache_dir
from tests.e2e.availability import had_or_skipped
from tests.e2e.backend import Backend, serve
from tests.e2e.sharing import built_once
from tests.e2e.vscode.browser import forget, launch_browser
from tests.e2e.vscode.code_server import CodeServer, serve_editor
from tests.e2e.vscode.editor import Editor, open_editor
from tests.e2e.vscode.package import build_vsix
from tests.e2e.vscode.tools import Tools, ensure_tools

REPLY = "\n    return a + b\n"
SOURCE = """\
def scale(values, factor):
    return [value * factor for value in values]


"""

TYPED = "def add(a, b):"

Configure = Callable[..., None]
OpenEditor = Callable[..., AbstractAsyncContextManager[Editor]]
SERVER = Path(sysconfig.get_path("scripts")) / "cato-lsp"


@pytest.fixture(scope="package")
def tools() -> Tools:
    """Node, code-server, Chromium; where they cannot be had, the tests are skipped aloud."""
    return had_or_skipped(ensure_tools, "NO VS CODE, its end-to-end tests do not run")


@pytest.fixture(scope="package")
def vsix(tools: Tools, common_folder: Path, wheel: Path) -> Path:
    """The extension, packaged with the language server of its own version."""
    return built_once(common_folder / "vsix", lambda folder: build_vsix(folder, wheel))


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def code_server(
    tools: Tools, vsix: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[CodeServer]:
    """VS Code with the extension, for a person who has no language server on their PATH."""
    environment = {
        "CATO_BACKEND_AUTOSTART": "false",
        "PATH": _path_without("cato-lsp"),
        "PIP_CACHE_DIR": str(cache_dir() / "pip"),
        # Python compiles what it comes to run.
        "PIP_NO_COMPILE": "1",
    }
    root = tmp_path_factory.mktemp("editor")
    async with serve_editor(tools, vsix, root, environment) as server:
        yield server


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser(
    tools: Tools, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[BrowserContext]:
    """Chromium."""
    async with launch_browser(tools.chromium, tmp_path_factory.mktemp("browser")) as launched:
        yield launched


@pytest.fixture(scope="package")
def shared_backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend for the tests that leave it alive."""
    with serve(tmp_path_factory.mktemp("state"), REPLY) as running:
        yield running


@pytest.fixture
def backend(shared_backend: Backend) -> Backend:
    """The same, saying what it says as a rule."""
    shared_backend.replica.change(reply=REPLY, itl_ms=2)
    return shared_backend


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one file, `sums.py`."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "sums.py").write_text(SOURCE, encoding="utf-8")
    return folder


@pytest.fixture
def sums(folder: Path) -> Path:
    """That file."""
    return folder / "sums.py"


@pytest.fixture
def configure(folder: Path) -> Configure:
    """Writes the folder's settings, the extension's without `cato.`, its language server added."""

    def write(**settings: Any) -> None:
        values = {"path": str(SERVER), **settings}
        named = {k if k.startswith("editor.") else f"cato.{k}": v for k, v in values.items()}
        (folder / ".vscode").mkdir(exist_ok=True)
        (folder / ".vscode/settings.json").write_text(json.dumps(named), encoding="utf-8")

    return write


@pytest_asyncio.fixture(loop_scope="package")
async def window(
    code_server: CodeServer, browser: BrowserContext, folder: Path, request: pytest.FixtureRequest
) -> OpenEditor:
    """Opens a window, on the folder if on nothing else, in an editor that nobody has changed."""
    code_server.set_settings({}, {})
    await forget(browser, code_server.url)
    return lambda place=folder: open_editor(browser, code_server.url, place, request.node.name)


def _path_without(program: str) -> str:
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(f for f in folders if not shutil.which(program, path=f))
