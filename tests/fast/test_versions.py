"""One version, wherever it stands."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import cato_backend
import cato_lsp

ROOT = Path(__file__).parents[2]


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extension = json.loads((ROOT / "vscode-extension" / "package.json").read_text())
    found = {
        project["version"],
        cato_backend.__version__,
        cato_lsp.__version__,
        extension["version"],
    }
    assert len(found) == 1
