"""One version, wherever it stands."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

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
    lock = json.loads((ROOT / "vscode-extension" / "package-lock.json").read_text())
    found |= {lock["version"], lock["packages"][""]["version"]}
    assert len(found) == 1


@pytest.mark.parametrize("changelog", ["CHANGELOG.md", "vscode-extension/CHANGELOG.md"])
def test_the_changelog_begins_with_this_version(changelog: str) -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / changelog).read_text(), re.MULTILINE)
    assert headings[0] == cato_lsp.__version__
