"""axe-core, which finds what people with a screen reader or a keyboard could not use."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from cato_backend.wire.state_files import cache_dir
from tests.e2e.availability import Unavailable
from tests.e2e.vscode.tools import npm_install

VERSION = "4.14.1"


def ensure_axe() -> str:
    """Return its source, fetched from npm where it is missing. Raises Unavailable."""
    folder = cache_dir() / "editors" / f"axe-core-{VERSION}"
    script = folder / "node_modules/axe-core/axe.min.js"
    if not script.exists():
        _fetch(folder)
    return script.read_text(encoding="utf-8")


def _fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("axe-core comes from npm: apt install nodejs npm")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        draft = Path(scratch) / "axe"
        npm_install(npm, draft, f"axe-core@{VERSION}")
        draft.rename(folder)


async def violations(page: Page, source: str) -> list[str]:
    """Return each rule that the page breaks, with the elements that break it."""
    await page.evaluate(source)
    found: dict[str, Any] = await page.evaluate("axe.run()")
    assert len(found["passes"]) > 10, "axe looked at nothing"
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'] for node in rule['nodes']]}"
        for rule in found["violations"]
    ]
