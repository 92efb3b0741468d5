"""A real provider of sign-ins: node-oidc-provider, which is certified for OpenID Connect."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from cato_backend.wire.state_files import cache_dir
from tests.e2e.availability import Unavailable
from tests.e2e.vscode.tools import npm_install

VERSION = "9.13.3"
CLIENT, SECRET = "cato", "a-secret-of-the-client"
"""As in provider.mjs."""
_SCRIPT = Path(__file__).with_name("provider.mjs")


def ensure_provider() -> Path:
    """Return the folder with its packages, fetched from npm if need be. Raises Unavailable."""
    folder = cache_dir() / "editors" / f"oidc-provider-{VERSION}"
    if not folder.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise Unavailable("oidc-provider comes from npm: apt install nodejs npm")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            draft = Path(scratch) / "provider"
            npm_install(npm, draft, f"oidc-provider@{VERSION}")
            draft.rename(folder)
    return folder


@contextmanager
def provider(folder: Path, redirect_uri: str) -> Generator[str]:
    """Yield the issuer's URL, while it runs."""
    command = ["node", str(_SCRIPT), str(folder), redirect_uri]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
