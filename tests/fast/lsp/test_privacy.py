"""Which files are never read to a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_lsp.session.privacy import Privacy
from cato_lsp.session.settings import PrivacySettings


def allows(path: Path, root: Path, settings: PrivacySettings | None = None) -> bool:
    return Privacy(settings or PrivacySettings(), [root]).allows(path)


@pytest.mark.parametrize(
    "name",
    [
        ".env", ".env.local", "production.env", "server.pem", "id_ed25519", ".aws/credentials",
        ".ssh/config", "app/secrets.toml", "gcp-credentials.json", "main.tfvars", ".npmrc",
    ],
)  # fmt: skip
def test_files_of_secrets_are_kept(tmp_path: Path, name: str) -> None:
    assert not allows(tmp_path / name, tmp_path)


@pytest.mark.parametrize("name", ["environment.py", "keys.py", ".env.example", "secrets.py"])
def test_code_about_secrets_is_code(tmp_path: Path, name: str) -> None:
    assert allows(tmp_path / name, tmp_path)


def test_the_person_s_globs_count(tmp_path: Path) -> None:
    settings = PrivacySettings(ignore=("generated/", "*.sql", "!schema.sql"))
    assert not allows(tmp_path / "generated" / "a.py", tmp_path, settings)
    assert not allows(tmp_path / "deep" / "a.sql", tmp_path, settings)
    assert allows(tmp_path / "schema.sql", tmp_path, settings)
    assert allows(tmp_path / "a.py", tmp_path, settings)


def test_what_git_ignores_is_kept_and_inner_files_decide(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "inner").mkdir()
    (tmp_path / ".gitignore").write_text("*.log\nbuild/\n")
    (tmp_path / "inner" / ".gitignore").write_text("!kept.log\nown.py\n")
    verdicts = {
        name: allows(tmp_path / name, tmp_path)
        for name in ("a.log", "build/x.py", "inner/kept.log", "inner/own.py", "inner/a.py")
    }
    assert verdicts == {
        "a.log": False, "build/x.py": False, "inner/kept.log": True, "inner/own.py": False,
        "inner/a.py": True,
    }  # fmt: skip
    assert allows(tmp_path / "a.log", tmp_path, PrivacySettings(gitignore=False))


def test_a_changed_gitignore_is_read_again(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    privacy = Privacy(PrivacySettings(), [tmp_path])
    assert privacy.allows(tmp_path / "a.py")
    (tmp_path / ".gitignore").write_text("a.py\n")
    assert not privacy.allows(tmp_path / "a.py")


def test_the_innermost_folder_decides(tmp_path: Path) -> None:
    folders = {"work": False, str(tmp_path / "work" / "open"): True}
    settings = PrivacySettings(folders=folders)
    assert allows(tmp_path / "a.py", tmp_path, settings)
    assert not allows(tmp_path / "work" / "a.py", tmp_path, settings)
    assert allows(tmp_path / "work" / "open" / "a.py", tmp_path, settings)
