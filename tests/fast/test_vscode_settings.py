"""The settings that the VS Code extension declares are those that the language server reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cato_lsp.settings.settings import parse

MANIFEST = Path(__file__).parents[2] / "vscode-extension/package.json"
# Which program to run is the extension's own business.
EXTENSION_ONLY = {"path"}


def declared() -> dict[str, dict[str, Any]]:
    """Setting without the leading `cato.` to its JSON schema."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    properties = manifest["contributes"]["configuration"]["properties"]
    settings = {name.removeprefix("cato."): schema for name, schema in properties.items()}
    return {name: schema for name, schema in settings.items() if name not in EXTENSION_ONLY}


class Recorder(Mapping[str, object]):
    """A configuration in which nothing is set, and that notes what was looked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return False

    def __getitem__(self, name: str) -> object:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def test_every_setting_is_declared_and_read() -> None:
    recorder = Recorder()
    parse(recorder, environment={})
    assert set(declared()) == recorder.asked


def test_the_defaults_agree() -> None:
    shown = {name: schema["default"] for name, schema in declared().items()}
    assert parse(shown, environment={}) == parse(environment={})


@pytest.mark.parametrize(
    ("name", "schema"),
    [(name, schema) for name, schema in declared().items() if schema["type"] == "integer"],
)
def test_the_limits_agree(name: str, schema: dict[str, Any]) -> None:
    low, high = schema["minimum"], schema["maximum"]
    complaints = {
        value: parse({name: value}, environment={})[1] for value in (low - 1, low, high, high + 1)
    }
    assert [bool(found) for found in complaints.values()] == [True, False, False, True]


def test_each_task_has_a_key_of_its_own_which_the_documentation_names() -> None:
    contributed = json.loads(MANIFEST.read_text(encoding="utf-8"))["contributes"]
    keys = {binding["command"]: binding["key"] for binding in contributed["keybindings"]}
    tasks = {item["command"] for item in contributed["menus"]["cato.editor"]}
    assert set(keys) == tasks
    told = (MANIFEST.parents[1] / "docs/vscode.md").read_text(encoding="utf-8")
    sentence = told.partition("- **Keys**")[2].partition("\n- ")[0]
    letters = re.findall(r"`([A-Z])`\s+\(", sentence)
    assert sorted(keys.values()) == sorted(f"ctrl+k alt+{letter.lower()}" for letter in letters)


def test_every_choice_of_the_trace_is_understood() -> None:
    for choice in declared()["trace"]["enum"]:
        settings, complaints = parse({"trace": choice}, environment={})
        assert (settings.trace, complaints) == (choice, ())


def test_a_workspace_that_is_not_trusted_sends_nothing_that_the_person_keeps() -> None:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    properties = manifest["contributes"]["configuration"]["properties"]
    restricted = set(manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"])
    # VS Code takes these from nowhere but the person's own settings.
    own = {name for name, schema in properties.items() if schema["scope"] == "machine"}
    guarded = ("path", "backend.", "completion.enabled", "languages", "privacy.", "feedback.")
    names = {name for name in properties if name.removeprefix("cato.").startswith(guarded)}
    assert names <= restricted | own
