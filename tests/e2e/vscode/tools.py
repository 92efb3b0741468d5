"""The real editor for the end-to-end tests: Node, code-server (VS Code in a browser), Chromium.

Node and code-server come from npm and need no compiler; they are kept in CATO's cache folder under
their versions, so that only the first run on a machine pays for them. Chromium is Debian's.

`python -m tests.e2e.vscode.tools` installs all of it ahead of the tests.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cato_backend.wire.state_files import cache_dir
from tests.e2e.availability import Unavailable

NODE = "24.21.0"
CODE_SERVER = "4.139.1"
INSTALL_TIMEOUT_S = 600
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of the programs."""

    node: Path
    code_server: Path
    chromium: Path


def ensure_tools() -> Tools:
    """The programs, fetched where they are missing. Raises Unavailable."""
    chromium = ensure_chromium()
    root = cache_dir() / "editors" / f"code-server-{CODE_SERVER}-node-{NODE}"
    if not root.exists():
        _build(root)
    return Tools(
        node=_node(root),
        code_server=root / "editor/node_modules/code-server/out/node/entry.js",
        chromium=chromium,
    )


def ensure_chromium() -> Path:
    """Return Chromium, installed where it is missing. Raises Unavailable."""
    found = _find_chromium()
    if found is None:
        _install_chromium()
        found = _find_chromium()
    if found is None:
        raise Unavailable("Chromium was installed but is not on PATH")
    return found


def _find_chromium() -> Path | None:
    paths = (shutil.which(name) for name in CHROMIUM_NAMES)
    return next((Path(path) for path in paths if path), None)


def _install_chromium() -> None:
    apt, prefix = shutil.which("apt-get"), _root_prefix()
    if apt is None or prefix is None:
        raise Unavailable("no Chromium, and no right to install it: apt install chromium")
    _run([*prefix, apt, "-qq", "update"])
    _run([*prefix, apt, "-qq", "-y", "install", "--no-install-recommends", "chromium"])


def _root_prefix() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None or subprocess.run([sudo, "-n", "true"], capture_output=True).returncode:
        return None
    return [sudo, "-n"]


def _build(root: Path) -> None:
    """Builds beside `root` and moves it there whole, so that a broken attempt leaves nothing."""
    npm = shutil.which("npm")
    if npm is None or platform.system() != "Linux":
        raise Unavailable("code-server needs Linux and npm: apt install nodejs npm")
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        draft = Path(scratch) / "root"
        _install_code_server(npm, draft)
        draft.rename(root)


def _install_code_server(npm: str, root: Path) -> None:
    npm_install(npm, root / "runtime", f"{_node_package()}@{NODE}")
    node_folder = _node(root).parent
    npm_install(npm, root / "editor", f"code-server@{CODE_SERVER}", node=node_folder)
    # code-server's own postinstall would do this, together with a native build we can do without.
    vscode = root / "editor/node_modules/code-server/lib/vscode"
    npm_install(npm, vscode, node=node_folder)
    npm_install(npm, vscode / "extensions", node=node_folder)
    # The bundled Copilot takes over inline completion and asks for a login.
    shutil.rmtree(vscode / "node_modules/@github", ignore_errors=True)


def _node_package() -> str:
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    if machine is None:
        raise Unavailable(f"no Node {NODE} for {platform.machine()}")
    return f"node-linux-{machine}"


def _node(root: Path) -> Path:
    return root / "runtime/node_modules" / _node_package() / "bin/node"


def npm_install(
    npm: str, folder: Path, package: str | None = None, *, node: Path | None = None
) -> None:
    """Installs `package`, or what `folder`'s package.json lists, without running any script."""
    folder.mkdir(parents=True, exist_ok=True)
    search = f"{node}{os.pathsep}{os.environ['PATH']}" if node else os.environ["PATH"]
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    command += ["--no-save", package] if package else ["--omit=dev"]
    if not (folder / "package.json").exists():
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    _run(command, cwd=folder, env={**os.environ, "PATH": search})


def _run(command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, timeout=INSTALL_TIMEOUT_S, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{command[0]} took more than {INSTALL_TIMEOUT_S} s") from error
    if done.returncode:
        raise Unavailable(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    try:
        print(ensure_tools())
    except Unavailable as error:
        sys.exit(str(error))
