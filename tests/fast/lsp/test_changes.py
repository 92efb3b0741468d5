"""What of a repository's uncommitted changes is sent to a model."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cato_lsp.commands.arguments import CommandFailed
from cato_lsp.commands.task import read_changes
from cato_lsp.settings.settings import PrivacySettings

SECRET = "TOKEN=hidden"


def git(folder: Path, *arguments: str) -> None:
    names = ("-c", "user.name=A", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    subprocess.run(["git", "-C", folder, *names, *arguments], check=True, capture_output=True)


def repository(folder: Path, *names: str) -> Path:
    """A repository with these files committed, and changed since then; `.env` to a secret."""
    folder.mkdir()
    git(folder, "init")
    for name in names:
        (folder / name).write_text("old\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--message", "first")
    for name in names:
        (folder / name).write_text(f"{SECRET}\n" if name == ".env" else f"new {name}\n")
    return folder


def changes(path: Path) -> str:
    return read_changes(path, PrivacySettings())[0].text


@pytest.mark.parametrize("name", ["*", "[.]env", "?env", ":(glob)**"])
def test_a_file_s_name_is_no_pattern_for_private_files(tmp_path: Path, name: str) -> None:
    root = repository(tmp_path / "r", name, ".env")
    for place in (root, root / name):
        text = changes(place)
        assert f"new {name}" in text
        assert SECRET not in text


@pytest.mark.parametrize("how", ["diff", "log", "short"])
def test_a_submodule_s_files_are_not_sent(tmp_path: Path, how: str) -> None:
    inner = repository(tmp_path / "inner", ".env")
    root = repository(tmp_path / "r", "a.py")
    git(root, "submodule", "add", str(inner), "sub")
    git(root, "commit", "--all", "--message", "second")
    (root / "a.py").write_text("newer\n")
    (root / "sub" / ".env").write_text(f"{SECRET}\n")
    git(root / "sub", "commit", "--all", "--message", "secret")
    git(root, "config", "diff.submodule", how)
    text = changes(root)
    assert "+newer" in text
    assert "+Subproject commit" in text
    assert "TOKEN" not in text
    assert ".env" not in text


def test_a_folder_and_a_file_limit_the_changes(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", "a.py", "b.py")
    assert "a.py" in changes(root)
    assert "b.py" not in changes(root / "a.py")
    (root / "lib").mkdir()
    with pytest.raises(CommandFailed, match="no uncommitted changes"):
        changes(root / "lib")
