"""The default model of `cato model list`, fetched, served and used as a person uses it.

Not part of `make test`: it downloads half a gigabyte once, into the user's cache folder.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cato_backend.model_store.registry import known_models
from tests.commands import CATO
from tests.e2e.real import RealBackend, serve

pytestmark = pytest.mark.timeout(900)

NAME = known_models()[0].name
CODE = '''def merge(a, b):
    """Merges two sorted lists."""
    out = []
    i = j = 0
    while i < len(a) and j < len(b):
        if a[i] <= b[j]:
            out.append(a[i])
            i += 1
        else:
            out.append(b[j])
            j += 1
    return out + a[i:] + b[j:]


def gcd(a, b):
    while b:
        a, b = b, a % b
    return a


def is_palindrome(text: str) -> bool:
    """Whether the text reads the same in both directions."""
    '''


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBackend]:
    """`cato serve` with the model under its name."""
    fetched = subprocess.run([*CATO, "model", "fetch", NAME], stderr=subprocess.PIPE, text=True)
    if "cannot be had" in fetched.stderr:
        pytest.skip(fetched.stderr.splitlines()[-1])
    assert fetched.returncode == 0, fetched.stderr
    config = f'[[models]]\nname = "{NAME}"\npath = "{NAME}"\n'
    with serve(tmp_path_factory.mktemp("state"), config) as running:
        yield running


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that ends within a function."""
    path = tmp_path_factory.mktemp("code") / "demo.py"
    path.write_text(CODE)
    return path


def cato(backend: RealBackend, *arguments: str) -> str:
    """What `cato ARGUMENTS` prints."""
    command = [*CATO, *arguments, "--url", backend.url]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "CATO_STATE_DIR": str(backend.state)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def line_of(text: str) -> int:
    return CODE[: CODE.index(text)].count("\n") + 2


def test_it_completes_a_function(backend: RealBackend, file: Path) -> None:
    place = f"{file}:{CODE.count(chr(10)) + 1}:5"
    text = json.loads(cato(backend, "complete", place, "--json"))["text"]
    scope: dict[str, object] = {}
    exec(CODE + text, scope)
    is_palindrome = scope["is_palindrome"]
    assert callable(is_palindrome)
    assert (is_palindrome("abba"), is_palindrome("abc")) == (True, False)


def test_it_summarizes_in_english_without_code(backend: RealBackend, file: Path) -> None:
    place = f"{file}:{line_of('def merge')}"
    text = json.loads(cato(backend, "task", "summarize", place, "--json"))["text"]
    assert "merge" in text.lower()
    assert "list" in text.lower()
    assert "```" not in text
    assert 5 <= len(text.split()) <= 150


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_it_translates_to_javascript_that_runs(backend: RealBackend, file: Path) -> None:
    place = f"{file}:{line_of('def gcd')}"
    code = cato(backend, "task", "translate", place, "--to", "javascript")
    ran = subprocess.run(
        ["node", "-e", f"{code}\nconsole.log(gcd(48, 36))"], capture_output=True, text=True
    )
    assert ran.stdout == "12\n", (code, ran.stderr)


def test_it_inserts_a_docstring(backend: RealBackend, file: Path) -> None:
    """The code stays what it was, but for the docstring."""
    path = file.with_name("documented.py")
    path.write_text(CODE.removesuffix("    "))
    cato(backend, "task", "document", f"{path}:{line_of('def gcd')}", "--write")
    before, after = (ast.parse(text) for text in (CODE, path.read_text()))
    (gcd,) = (n for n in after.body if isinstance(n, ast.FunctionDef) and n.name == "gcd")
    docstring = ast.get_docstring(gcd)
    assert docstring is not None
    assert "divisor" in docstring.lower()
    assert "```" not in docstring
    del gcd.body[0]
    assert ast.dump(before) == ast.dump(after)


def test_it_writes_a_test_that_runs(backend: RealBackend, file: Path) -> None:
    """Whether its figures are right is the model's affair; that they are compared is ours."""
    path = file.with_name("maths.py")
    path.write_text("def double(value):\n    return 2 * value\n")
    cato(backend, "task", "test", f"{path}:1", "--write")
    written = path.with_name("test_maths.py")
    assert "double(" in written.read_text()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", written.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
    )
    assert ran.returncode in (0, 1), (written.read_text(), ran.stdout)
    assert "passed" in ran.stdout


def test_it_fixes_what_a_linter_says(backend: RealBackend, file: Path) -> None:
    path = file.with_name("broken.py")
    path.write_text("def add(first, second):\n    return first + secnd\n")
    complaint = "2: undefined name 'secnd'"
    cato(backend, "task", "fix", f"{path}:1", "--diagnostic", complaint, "--write")
    scope: dict[str, object] = {}
    exec(path.read_text(), scope)
    add = scope["add"]
    assert callable(add)
    assert add(2, 3) == 5


def test_the_doctor_says_that_it_follows_instructions(backend: RealBackend) -> None:
    told = cato(backend, "doctor")
    assert "whole tasks ask it in a chat: by its name" in told
