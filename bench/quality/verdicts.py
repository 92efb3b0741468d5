"""What an answer is worth, and how that is found out: by running it, or by its form."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench import sandbox

_WORD = re.compile(r"[^\W\d_]{4,}")
_LEAST_WORDS, _MOST_WORDS = 4, 150
_SHARED_WORDS = 2


class Verdict(StrEnum):
    """What became of one problem, best first."""

    RIGHT = "right"
    WRONG = "runs, with another result"
    BROKEN = "cannot be used"
    SLOW = "stopped at a limit"
    NONE = "no answer"


@dataclass(frozen=True, slots=True)
class Judged:
    """One problem's verdict, and why it is not better."""

    verdict: Verdict
    note: str = ""


def python(code: str) -> Judged:
    """Return whether the program ends without an error."""
    return _program("main.py", code, [sys.executable, "-I", "main.py"])


def javascript(code: str, name: str, other_name: str, test: str) -> Judged:
    """Return whether the tests hold of the function, by one of its names."""
    found = f'typeof {name} !== "undefined" ? {name} : {other_name}'
    asserting = 'console.assert = (ok) => { if (!ok) throw new Error("AssertionError") }'
    program = f"{asserting}\n{code}\n;(({name}) => {{\n{test}\n}})({found})\n"
    return _program("main.js", program, ["node", "main.js"])


def cpp(code: str, declaration: str, test: str) -> Judged:
    """Return whether the tests hold; `declaration` has the headers that they need."""
    headers = [line for line in declaration.splitlines() if line.startswith(("#include", "using"))]
    program = "\n".join([*headers, code, test, ""])
    command = ["sh", "-c", "g++ -std=c++17 -w -o main main.cpp && ./main"]
    return _program("main.cpp", program, command)


def java(code: str) -> Judged:
    """Return whether it compiles, as a file or within a class."""
    named = re.search(r"public\s+(?:final\s+)?(?:class|record|interface)\s+(\w+)", code)
    if not re.search(r"\b(?:class|record|interface)\s+\w+", code):
        imports = [line for line in code.splitlines() if line.startswith("import ")]
        rest = [line for line in code.splitlines() if not line.startswith("import ")]
        code = "\n".join([*imports, "import java.util.*;", "class Solution {", *rest, "}"])
    file = f"{named[1] if named else 'Solution'}.java"
    return _program(file, code, ["javac", "-nowarn", file])


def go(code: str) -> Judged:
    """Return whether it compiles, as a package; what is imported must be used, as Go has it."""
    body = re.sub(r"(?m)^package \w+$", "", code)
    program = f"package solution\n{body}\n"
    return _program("main.go", program, ["go", "build", "-o", "/dev/null", "main.go"])


def rust(code: str) -> Judged:
    """Return whether it compiles as a library."""
    command = ["rustc", "--edition", "2021", "--crate-type", "lib", "--emit", "metadata"]
    return _program("main.rs", code, [*command, "-A", "warnings", "main.rs"])


def prose(text: str, names: Sequence[str], reference: str) -> Judged:
    """Return whether a description has the form of one and speaks of what the reference does.

    It names the function, or shares words with the reference. Whether it is true is not judged.
    """
    words = text.split()
    lines = [line.strip() for line in re.split(r"[.\n]", text) if len(line.strip()) > 20]
    if not words:
        return Judged(Verdict.NONE)
    if "```" in text:
        return Judged(Verdict.BROKEN, "it has code")
    if not _LEAST_WORDS <= len(words) <= _MOST_WORDS:
        return Judged(Verdict.BROKEN, f"it has {len(words)} words")
    if len(set(lines)) < len(lines):
        return Judged(Verdict.BROKEN, "it repeats itself")
    if sum(char.isascii() for char in text) < 0.95 * len(text):
        return Judged(Verdict.BROKEN, "it is not in English")
    shared = _words(text) & _words(reference)
    if not any(name in text for name in names) and len(shared) < _SHARED_WORDS:
        return Judged(Verdict.WRONG, "it shares no words with the reference")
    return Judged(Verdict.RIGHT)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _program(file: str, text: str, command: Sequence[str]) -> Judged:
    with tempfile.TemporaryDirectory(prefix="cato-quality-") as folder:
        Path(folder, file).write_text(text, encoding="utf-8")
        ran = sandbox.run(command, Path(folder))
    if ran.status is None:
        return Judged(Verdict.SLOW)
    if ran.status == 0:
        return Judged(Verdict.RIGHT)
    lines = ran.output.strip().splitlines()
    if any("AssertionError" in line or "Assertion `" in line for line in lines):
        return Judged(Verdict.WRONG)
    said = (line.strip() for line in lines if "rror" in line)
    return Judged(Verdict.BROKEN, next(said, lines[-1].strip() if lines else "")[:120])
