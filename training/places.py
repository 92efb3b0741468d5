"""Places where people ask for a suggestion every day, in small files, and when an answer is useful.

Not training data: they are written for the evaluation and for the end-to-end tests. An answer is
right if the file parses and what the cursor's line says is of use in that file.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True, slots=True)
class Place:
    """A small file that the cursor divides; one of `wanted` must be in the part that was begun."""

    before: str
    after: str
    wanted: frozenset[str]

    def parts(self, idiom: Idiom, answer: str) -> set[str]:
        """All expressions in the part that was begun. Raises SyntaxError."""
        kept = "\n".join(answer.split("\n")[: idiom.lines])
        part = idiom.part(ast.parse(self.before + kept + self.after))
        return {ast.unparse(node) for node in ast.walk(part)}

    def is_right(self, idiom: Idiom, answer: str) -> bool:
        """Whether the file parses and says what is wanted where it was begun."""
        try:
            return bool(self.wanted & self.parts(idiom, answer))
        except (SyntaxError, LookupError):
            return False


@dataclass(frozen=True, slots=True)
class Idiom:
    """One thing that people type, in several files; `part` finds in a file what was begun."""

    name: str
    places: tuple[Place, ...]
    part: Callable[[ast.Module], ast.AST]
    lines: int = 1
    """How many lines of an answer count."""


def _place(before: str, after: str, *wanted: str) -> Place:
    return Place(before, after, frozenset(wanted))


def _first(tree: ast.AST, kind: type[Node]) -> Node:
    """The first node of a kind. Raises LookupError."""
    for node in ast.walk(tree):
        if isinstance(node, kind):
            return node
    raise LookupError(kind.__name__)


def _loop(tree: ast.Module) -> ast.AST:
    return _first(tree, ast.For).iter


def _guard(tree: ast.Module) -> ast.AST:
    return _first(tree.body[-1], ast.Compare)


def _constructor(tree: ast.Module) -> ast.AST:
    return _first(_first(tree, ast.ClassDef), ast.FunctionDef).body[0]


def _bound(tree: ast.Module) -> ast.AST:
    return _first(tree, ast.With).items[0].optional_vars or tree


_RESULT = "\n    return result\n"
_MAIN = "__name__ == '__main__'"

LOOP = Idiom(
    "for i in range(",
    (
        _place(
            "def squares(n):\n    result = []\n    for i in range(",
            "\n        result.append(i * i)" + _RESULT,
            "n",
        ),
        _place(
            "def scale(values, factor):\n    result = []\n    for i in range(",
            "\n        result.append(values[i] * factor)" + _RESULT,
            "len(values)",
        ),
        _place(
            "def show(values):\n    for i in range(",
            "\n        print(i, values[i])\n",
            "len(values)",
        ),
        _place(
            "import random\n\n\ndef roll(count, sides):\n    result = []\n    for i in range(",
            "\n        result.append(random.randint(1, sides))" + _RESULT,
            "count",
        ),
        _place(
            "def factorial(n):\n    result = 1\n    for i in range(",
            "\n        result *= i" + _RESULT,
            "n",
        ),
        _place(
            "def bubble_sort(items):\n    n = len(items)\n    for i in range(",
            "\n        for j in range(n - 1):\n            if items[j] > items[j + 1]:\n"
            "                items[j], items[j + 1] = items[j + 1], items[j]\n",
            *("n", "len(items)"),
        ),
        _place(
            "def add(a, b):\n    result = []\n    for i in range(",
            "\n        result.append(a[i] + b[i])" + _RESULT,
            *("len(a)", "len(b)"),
        ),
        _place(
            "def count_down(start):\n    for i in range(",
            "\n        print(start - i)\n    print('go')\n",
            "start",
        ),
    ),
    _loop,
)
GUARD = Idiom(
    "if __name__ == ",
    (
        _place(
            "import sys\n\n\ndef main():\n    for line in sys.stdin:\n        print(line.upper())\n"
            "\n\nif __name__ == ",
            "\n    main()\n",
            _MAIN,
        ),
        _place("def main():\n    print('hello')\n\n\nif __name__ == ", "\n    main()\n", _MAIN),
        _place(
            'def greet(name):\n    return f"Hello, {name}"\n\n\nif __name__ == ',
            '\n    print(greet("you"))\n',
            _MAIN,
        ),
        _place(
            "import argparse\n\n\ndef run(path):\n    print(path)\n\n\nif __name__ == ",
            "\n    parser = argparse.ArgumentParser()\n    parser.add_argument('path')\n"
            "    run(parser.parse_args().path)\n",
            _MAIN,
        ),
    ),
    _guard,
)
CONSTRUCTOR = Idiom(
    "def __init__(self, name):",
    (
        _place(
            "class Person:\n    def __init__(self, name):",
            '\n\n    def greet(self):\n        return "Hello, " + self.name\n',
            "self.name = name",
        ),
        _place("class Person:\n    def __init__(self, name):", "\n", "self.name = name"),
        _place(
            'class Dog:\n    """An animal."""\n\n    def __init__(self, name):',
            "\n\n    def speak(self):\n        print(self.name, 'barks')\n",
            "self.name = name",
        ),
        _place(
            "import json\n\n\nclass Store:\n    def __init__(self, path):",
            "\n\n    def load(self):\n        with open(self.path) as file:\n"
            "            return json.load(file)\n",
            "self.path = path",
        ),
        _place(
            "class Point:\n    def __init__(self, x, y):",
            "\n\n    def __str__(self):\n        return f'{self.x}, {self.y}'\n",
            "self.x = x",
        ),
        _place(
            "class Account:\n    def __init__(self, owner, balance):",
            "\n\n    def deposit(self, amount):\n        self.balance += amount\n",
            *("self.owner = owner", "self.balance = balance"),
        ),
    ),
    _constructor,
    lines=2,
)
READING = Idiom(
    "with open(path) as ",
    (
        _place(
            "import json\n\n\ndef load(path):\n    with open(path) as ",
            "\n        return json.load(f)\n",
            "f",
        ),
        _place(
            "def read(path):\n    with open(path) as ", "\n        return file.read()\n", "file"
        ),
        _place(
            "def count_lines(path):\n    count = 0\n    with open(path) as ",
            "\n        for line in f:\n            count += 1\n    return count\n",
            "f",
        ),
        _place(
            "import csv\n\n\ndef rows(path):\n    with open(path) as ",
            "\n        return list(csv.reader(file))\n",
            "file",
        ),
        _place(
            "def first_line(path):\n    with open(path) as ",
            "\n        return stream.readline().strip()\n",
            "stream",
        ),
    ),
    _bound,
)

IDIOMS = (LOOP, GUARD, CONSTRUCTOR, READING)
