"""The extension's package, without an editor."""

from __future__ import annotations

import zipfile
from pathlib import Path


def test_the_package_holds_what_runs_and_no_sources(vsix: Path, wheel: Path) -> None:
    names = {name.removeprefix("extension/") for name in zipfile.ZipFile(vsix).namelist()}
    assert {"package.json", "package.nls.json", "dist/extension.js", "LICENSE.txt"} <= names
    assert [name for name in names if name.startswith("server/")] == [f"server/{wheel.name}"]
    assert not {name for name in names if name.startswith(("src/", "tests/", "node_modules/"))}
