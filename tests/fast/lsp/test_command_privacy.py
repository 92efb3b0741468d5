"""`--ignore`: what `cato task` and `cato complete` never send."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType

import pytest

from cato_lsp.commands import complete, task

MODULES = pytest.mark.parametrize(
    ("module", "place"), [(task, ["summarize", "a/b.py:1"]), (complete, ["a/b.py:1:1"])]
)


def run(module: ModuleType, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    module.configure(parser)
    return int(module.run(parser.parse_args([*arguments, "--url", "http://127.0.0.1:9"])))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.py").write_text("def f():\n    pass\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@MODULES
@pytest.mark.parametrize("pattern", ["a/", "{}/a", "*.py", "{}/a/**"])
def test_a_file_that_is_ignored_is_not_sent(
    module: ModuleType,
    place: list[str],
    pattern: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ("--ignore", "other", "--ignore", pattern.format(folder))
    assert run(module, *place, *given) == 1
    said = capsys.readouterr().err
    assert "a/b.py is not sent to a model" in said
    assert "--ignore" in said


@MODULES
def test_other_files_are(
    module: ModuleType, place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(module, *place, "--ignore", "other.py") == 1
    assert "127.0.0.1:9" in capsys.readouterr().err


@MODULES
def test_a_pattern_that_can_never_match_is_refused(
    module: ModuleType, place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(module, *place, "--ignore", "../x") == 1
    assert "--ignore must be patterns that can match: '../x'" in capsys.readouterr().err
