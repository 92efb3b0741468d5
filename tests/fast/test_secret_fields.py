"""No value that holds a secret shows it: what is logged or raised may hold the value."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import cato_backend
import cato_lsp
from cato_backend.sign_in.admission import SignInAttempt
from cato_backend.sign_in.devices import DeviceCodes
from cato_backend.team.records import Person, Team
from cato_backend.team.store import TeamStore

SECRETS = {"secret", "token", "api_key", "device_code", "id_token", "access_token", "verifier"}
NO_SECRETS = {"Endpoints.token", "Lexicon.token"}
"""The URL of a provider's endpoint, and a word of a text."""


def shown(path: Path) -> Iterator[str]:
    """The fields of classes in a file that are called as secrets are, and are shown."""
    for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(found, ast.ClassDef):
            continue
        if any(
            isinstance(each, ast.FunctionDef) and each.name == "__repr__" for each in found.body
        ):
            continue
        for line in found.body:
            if (
                isinstance(line, ast.AnnAssign)
                and isinstance(line.target, ast.Name)
                and line.target.id in SECRETS
                and "str" in ast.unparse(line.annotation)
                and "repr=False" not in (ast.unparse(line.value) if line.value else "")
            ):
                yield f"{found.name}.{line.target.id}"


def test_fields_with_secrets_are_not_shown() -> None:
    folders = [Path(module.__file__ or "").parent for module in (cato_backend, cato_lsp)]
    found = {name for folder in folders for file in folder.rglob("*.py") for name in shown(file)}
    assert found <= NO_SECRETS


def test_what_a_sign_in_makes_is_not_shown(tmp_path: Path) -> None:
    codes = DeviceCodes("for the device", "BCDF-GHJK")
    assert "for the device" not in repr(codes)
    attempt = SignInAttempt.begin()
    assert not any(part in repr(attempt) for part in attempt.cookie().split("."))
    store = TeamStore(tmp_path / "people.sqlite3")
    store.create_team(Team("web"))
    store.create_person(Person("ada", "web"))
    made = store.create_token("laptop", "ada")
    store.close()
    assert made.secret not in repr(made)
    assert made.token.id in repr(made)
