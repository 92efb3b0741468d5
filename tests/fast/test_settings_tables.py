"""What other languages and documents repeat of the settings is what the language server has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cato_lsp.settings.settings import QUIET_LANGUAGES, parse

ROOT = Path(__file__).parents[2]
MANIFEST = ROOT / "vscode-extension/package.json"
CODE = re.compile(r"`([^`]+)`")
# Where the languages are listed in which nothing is suggested unasked.
QUIET = {
    "vscode-extension/src/common/toggles.ts": re.compile(r"QUIET = new Set\(\[([^\]]+)\]\)"),
    "neovim-plugin/lua/cato/status.lua": re.compile(r"QUIET = \{([^}]+)\}"),
    "docs/lsp-protocol.md": re.compile(r"stands for the others; (.+?) get automatic completions"),
}


def declared() -> dict[str, Any]:
    """Setting, with the leading `cato.`, to its default in the extension's manifest."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    properties = manifest["contributes"]["configuration"]["properties"]
    return {name: schema["default"] for name, schema in properties.items()}


@pytest.mark.parametrize("name", QUIET)
def test_the_languages_that_are_quiet_by_default_are_the_same_everywhere(name: str) -> None:
    found = QUIET[name].search((ROOT / name).read_text(encoding="utf-8"))
    assert found is not None
    assert set(re.findall(r"['`](\w+)['`]", found[1])) == QUIET_LANGUAGES


def test_the_table_for_vscode_has_every_setting_with_its_default() -> None:
    text = (ROOT / "docs/vscode.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `cato.")]
    shown: dict[str, str] = {}
    for names, defaults, *_ in rows:
        told = CODE.findall(defaults) or [""] * len(CODE.findall(names))
        shown.update(zip(CODE.findall(names), told, strict=True))
    expected = {
        name: default if isinstance(default, str) else json.dumps(default)
        for name, default in declared().items()
    }
    assert shown == expected


def test_the_settings_that_the_neovim_help_shows_are_read() -> None:
    text = (ROOT / "neovim-plugin/doc/cato.txt").read_text(encoding="utf-8")
    block = re.search(r"completion = \{ debounceMs = (\d+), maxLines = (\d+) \}", text)
    lens = re.search(r"codeLens = \{ enabled = (true|false) \}", text)
    assert block is not None
    assert lens is not None
    shown = {
        "completion": {"debounceMs": int(block[1]), "maxLines": int(block[2])},
        "codeLens": {"enabled": lens[1] == "true"},
    }
    # They are the defaults, so that somebody who copies the block changes nothing by it.
    assert parse(shown, environment={}) == parse(environment={})
