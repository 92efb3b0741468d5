"""The wheel as a stranger gets it: installed outside the checkout, in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import serve_command
from tests.fakes import fake_vllm_command

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a new environment that holds the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    # Whose pip fetches it does not matter, and Python compiles what it comes to run.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder]
    subprocess.run(
        [*pip, "install", "--quiet", "--no-compile", f"{wheel}[serve]"], check=True, cwd=folder
    )
    return folder / "bin"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A user who has never run CATO."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CATO_")}
    return {**kept, "CATO_STATE_DIR": str(tmp_path / "state"), "PYTHONPATH": ""}


@pytest.fixture
def serving(installed: Path, environment: dict[str, str], fake_url: str) -> Iterator[str]:
    """The installed `cato serve` in front of a replica that runs already."""
    command = serve_command("--port", "0", "--replica", fake_url, cato=[str(installed / "cato")])
    with subprocess.Popen(command, env=environment, cwd="/", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = None
        while not found:
            line = process.stdout.readline().decode()
            assert line, "cato serve ended"
            found = re.search(r"CATO serves at (\S+)", line)
        yield found[1]
        process.terminate()


@pytest.fixture
def fake_url() -> Iterator[str]:
    """A fake replica as a process of its own."""
    command = fake_vllm_command(0, 0, "--reply", "a + b")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()
        process.terminate()


def test_it_is_not_the_checkout_that_runs(installed: Path) -> None:
    code = "import cato_backend, cato_lsp; print(cato_backend.__file__, cato_lsp.__file__)"
    done = subprocess.run(
        [installed / "python", "-c", code], cwd="/", capture_output=True, text=True, check=True
    )
    assert str(ROOT) not in done.stdout
    assert done.stdout.count("site-packages") == 2


def test_the_page_came_along_whole(serving: str) -> None:
    page = urllib.request.Request(f"{serving}/", headers={"accept": "text/html"})
    with urllib.request.urlopen(page, timeout=10) as answer:
        parts = re.findall(r'(?:src|href)="(/page/[^"]+)"', answer.read().decode())
    assert len(parts) >= 3
    for part in parts:
        with urllib.request.urlopen(serving + part, timeout=10) as answer:
            assert answer.read()


def test_the_embedded_model_came_along_whole(installed: Path) -> None:
    code = "from cato_backend.embedded_model import verified_folder; print(verified_folder())"
    done = subprocess.run(
        [installed / "python", "-c", code], cwd="/", capture_output=True, text=True, check=True
    )
    assert "site-packages" in done.stdout


def test_a_place_in_a_file_is_completed(
    installed: Path, environment: dict[str, str], serving: str, tmp_path: Path
) -> None:
    file = tmp_path / "sums.py"
    file.write_text("def add(a, b):\n    return \n")
    command = [installed / "cato", "complete", f"{file}:2:12", "--url", serving]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "a + b" in done.stdout


@pytest.mark.parametrize("name", ["cato", "cato-lsp"])
def test_the_commands_tell_their_version(installed: Path, name: str) -> None:
    done = subprocess.run([installed / name, "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "0." in done.stdout
