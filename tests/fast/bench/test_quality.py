"""Verdicts on answers: code is run within limits, prose is judged by its form."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from bench import sandbox
from bench.quality import verdicts
from bench.quality.problems import package_lines
from bench.quality.verdicts import Judged, Verdict

pytestmark = pytest.mark.timeout(1200)
"""Code is run in processes of its own, which may wait long on a busy machine."""

ADD = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (f"{ADD}assert add(1, 2) == 3", Verdict.RIGHT),
        (f"{ADD}assert add(1, 2) == 4", Verdict.WRONG),
        (f"{ADD}assert ad(1, 2) == 3", Verdict.BROKEN),
        ("def add(a, b:\n", Verdict.BROKEN),
    ],
)
def test_python_is_run(code: str, verdict: Verdict) -> None:
    assert verdicts.python(code).verdict is verdict


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("name", ["addTwo", "add_two"])
def test_a_translation_may_keep_the_name(name: str) -> None:
    code = f"function {name}(a, b) {{ return a + b }}"
    test = "console.assert(addTwo(1, 2) === 3)"
    assert verdicts.javascript(code, "addTwo", "add_two", test) == Judged(Verdict.RIGHT)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_an_assertion_of_javascript_is_heard() -> None:
    test = "console.assert(add(1, 2) === 4)"
    judged = verdicts.javascript("const add = (a, b) => a + b", "add", "add", test)
    assert judged.verdict is Verdict.WRONG


def test_a_program_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    endless = [sys.executable, "-c", "while True: pass"]
    ran = sandbox.run(endless, tmp_path, sandbox.Limits(cpu_s=1))
    assert ran.status is None


def test_endless_output_is_not_kept(tmp_path: Path) -> None:
    code = "import os\nfor _ in range(8): os.write(1, b'x' * (1 << 20))\nprint('end')"
    ran = sandbox.run([sys.executable, "-c", code], tmp_path)
    assert ran.status == 0
    assert ran.output.endswith("end\n")
    assert len(ran.output) <= 1 << 20


def test_processes_that_a_program_leaves_running_are_not_awaited(tmp_path: Path) -> None:
    code = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)"
    ran = sandbox.run([sys.executable, "-c", code], tmp_path, sandbox.Limits(wall_s=50.0))
    assert ran.status == 0


def test_memory_has_a_limit(tmp_path: Path) -> None:
    ran = sandbox.run([sys.executable, "-c", "bytearray(5 << 30)"], tmp_path)
    assert "MemoryError" in ran.output


@pytest.mark.skipif(not sandbox.is_apart(), reason="no namespaces for users")
def test_files_outside_of_the_folder_are_not_written(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other.txt"
    own.mkdir()
    code = f"open('inside.txt', 'w').close(); open({str(other)!r}, 'w')"
    ran = sandbox.run([sys.executable, "-c", code], own)
    assert (own / "inside.txt").exists()
    assert "Read-only file system" in ran.output
    assert not other.exists()


def test_a_program_sees_no_variables_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATO_BACKEND_TOKEN", "secret")
    ran = sandbox.run([sys.executable, "-c", "import os; print(dict(os.environ))"], tmp_path)
    assert ran.status == 0
    assert "secret" not in ran.output


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("It returns the sum of both numbers a and b.", Verdict.RIGHT),
        ("", Verdict.NONE),
        ("Adds two numbers.\n```python\nx\n```", Verdict.BROKEN),
        ("Yes.", Verdict.BROKEN),
        ("It returns the total values of it. It returns the total values of it.", Verdict.BROKEN),
        ("It opens the window of the user.", Verdict.WRONG),
    ],
)
def test_prose_is_judged_by_its_form(text: str, verdict: Verdict) -> None:
    reference = "It returns the sum of the two numbers a and b"
    assert verdicts.prose(text, ("add",), reference).verdict is verdict


def test_lines_of_packages_can_be_put_together_again(tmp_path: Path) -> None:
    code = "total = sum(values) / max(1, len(values))\n" * 60
    for number in range(3):
        (tmp_path / f"m{number}.py").write_text(code)
    (tmp_path / "short.py").write_text(ADD)
    holes = package_lines(5, 1, tmp_path)
    assert {hole.id for hole in holes} == {"m0.py", "m1.py", "m2.py"}
    assert all(hole.before + hole.middle + hole.after == code for hole in holes)
