"""The problems: HumanEval's, and lines of packages that are installed here."""

from __future__ import annotations

import gzip
import json
import random
import re
import sysconfig
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_MOST_BYTES = 60_000
_LEAST_CHARS = 8
"""Of a line's rest that is asked for; shorter ones say little."""
_DOCSTRING = re.compile(r'\n +(?P<quotes>"""|\'\'\').*?(?P=quotes)\n', re.DOTALL)
OTHERS = ("js", "cpp", "java", "go", "rust")


@dataclass(frozen=True, slots=True)
class Hole:
    """A place in a Python file, what belongs there, and a test of the whole; empty: none."""

    id: str
    before: str
    middle: str
    after: str
    test: str = ""


@dataclass(frozen=True)
class Function:
    """A problem of HumanEval-X: the same function in several languages."""

    id: str
    python: dict[str, Any]
    others: dict[str, dict[str, Any]]

    @property
    def prompt(self) -> str:
        """Return imports, signature and docstring in Python."""
        return str(self.python["prompt"]).lstrip("\n")

    @property
    def source(self) -> str:
        """Return the function in Python, with its docstring."""
        return self.prompt + str(self.python["canonical_solution"])

    @cached_property
    def bare(self) -> str:
        """Return the same without its docstring."""
        head, name, rest = self.source.rpartition(f"def {self.name}(")
        return head + name + _DOCSTRING.sub("\n", rest, count=1)

    @property
    def name(self) -> str:
        """Return its name in Python."""
        (*_, name) = re.findall(r"def (\w+)\(", str(self.python["declaration"]))
        return str(name)

    @property
    def reference(self) -> str:
        """Return what it does, in words."""
        return str(self.python["text"])

    def test(self, language: str = "python") -> str:
        """Return the tests in this language, which call the function by its name there."""
        entry = self.python if language == "python" else self.others[language]
        return str(entry["test"])


def functions(folder: Path, count: int, seed: int) -> list[Function]:
    """Return a sample of HumanEval-X."""
    python, *others = (
        _lines(folder / f"humaneval_{language}.jsonl.gz") for language in ("python", *OTHERS)
    )
    numbers = random.Random(seed).sample(range(len(python)), min(count, len(python)))
    return [
        Function(
            str(python[n]["task_id"]),
            python[n],
            {name: entries[n] for name, entries in zip(OTHERS, others, strict=True)},
        )
        for n in sorted(numbers)
    ]


def single_lines(file: Path, count: int, seed: int) -> list[Hole]:
    """Return a sample of HumanEval-Infilling's single lines; the indentation is there already."""
    entries = random.Random(seed).sample(_lines(file), count)
    return [_hole(entry) for entry in sorted(entries, key=lambda entry: str(entry["task_id"]))]


def _hole(entry: dict[str, Any]) -> Hole:
    line = str(entry["canonical_solution"]).rstrip("\n")
    middle = line.lstrip()
    before = str(entry["prompt"]) + line[: len(line) - len(middle)]
    test = f"{entry['test']}\ncheck({entry['entry_point']})\n"
    return Hole(str(entry["task_id"]), before, middle, "\n" + str(entry["suffix"]), test)


def package_lines(count: int, seed: int, folder: Path | None = None) -> list[Hole]:
    """Return rests of lines of the packages that are installed here, one of a file.

    The cursor stands at the first letter of a line or within it, equally often.
    """
    rng = random.Random(seed)
    root = folder or Path(sysconfig.get_paths()["purelib"])
    files = sorted(file for file in root.rglob("*.py") if 2000 < file.stat().st_size < _MOST_BYTES)
    found: list[Hole] = []
    for file in rng.sample(files, len(files)):
        if len(found) == count:
            break
        hole = _rest_of_line(file.read_text(encoding="utf-8", errors="replace"), rng)
        if hole is not None:
            found.append(Hole(str(file.relative_to(root)), *hole))
    return found


def _rest_of_line(text: str, rng: random.Random) -> tuple[str, str, str] | None:
    spans = [
        span
        for span in re.finditer(r"(?m)^[ \t]*(?P<code>[^\s#\"'].+)$", text)
        if len(span["code"]) >= 2 * _LEAST_CHARS
    ]
    if not spans:
        return None
    span = rng.choice(spans)
    first, last = span.start("code"), span.end("code") - _LEAST_CHARS
    start = first if rng.random() < 0.5 else rng.randint(first, last)
    return text[:start], text[start : span.end()], text[span.end() :]


def _lines(file: Path) -> list[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]
