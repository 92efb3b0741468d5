"""Small tasks whose results are executed: functions to complete, and functions to translate."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass

LIMIT_S = 10


@dataclass(frozen=True, slots=True)
class Begun:
    """A Python function up to the cursor, what follows, and an expression that holds where the
    completion is right."""

    before: str
    check: str
    after: str = "\n"

    def is_right(self, answer: str) -> bool:
        """Whether the most of the answer that parses makes the expression hold."""
        lines = answer.split("\n")
        for count in range(len(lines), 0, -1):
            code = self.before + "\n".join(lines[:count]) + self.after
            try:
                ast.parse(code)
            except SyntaxError:
                continue
            return _says([sys.executable, "-I", "-c", f"{code}\nprint(bool({self.check}))"], "True")
        return False


@dataclass(frozen=True, slots=True)
class Translated:
    """A Python function, and an expression of JavaScript that holds where its translation works."""

    source: str
    check: str

    def is_right(self, javascript: str) -> bool:
        """Whether it does the same."""
        return _says(["node", "-e", f"{javascript}\nconsole.log(Boolean({self.check}))"], "true")


def _says(command: list[str], wanted: str) -> bool:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return False
    return done.stdout.strip().endswith(wanted)


def _begun(signature: str, documentation: str, check: str) -> Begun:
    return Begun(f'def {signature}:\n    """{documentation}"""\n    ', check)


TO_COMPLETE = (
    _begun(
        "is_palindrome(text: str) -> bool",
        "Whether the text reads the same in both directions.",
        "is_palindrome('abba') and not is_palindrome('abc')",
    ),
    _begun("factorial(n: int) -> int", "The product of 1 to n.", "factorial(5) == 120"),
    _begun("count_vowels(text: str) -> int", "How many vowels it has.",
           "count_vowels('house') == 3"),
    _begun("reverse_words(text: str) -> str", "The words in reverse order.",
           "reverse_words('a b c') == 'c b a'"),
    _begun("invert(table: dict) -> dict", "Keys and values change places.",
           "invert({'a': 1}) == {1: 'a'}"),
    _begun("unique(items: list) -> list", "Each item once, in the order of its first occurrence.",
           "unique([2, 1, 2]) == [2, 1]"),
    _begun("mean(values: list[float]) -> float", "The arithmetic mean; 0 for no values.",
           "mean([1, 2, 3]) == 2 and mean([]) == 0"),
    _begun("fibonacci(n: int) -> list[int]", "The first n Fibonacci numbers, from 0.",
           "fibonacci(5) == [0, 1, 1, 2, 3]"),
    _begun("transpose(rows: list[list[int]]) -> list[list[int]]", "Rows become columns.",
           "[list(r) for r in transpose([[1, 2], [3, 4]])] == [[1, 3], [2, 4]]"),
    Begun("class Stack:\n    def __init__(self):\n        self.items = []\n\n"
          "    def push(self, item):\n        ", "(s := Stack(), s.push(1), s.pop())[-1] == 1",
          "\n\n    def pop(self):\n        return self.items.pop()\n"),
    Begun("def largest(values):\n    best = values[0]\n    for value in values:\n        ",
          "largest([1, 3, 2]) == 3", "\n    return best\n"),
    Begun("def load(text):\n    table = {}\n    for line in text.splitlines():\n"
          "        key, value = ",
          "load('a=1') == {'a': '1'}", "\n        table[key] = value\n    return table\n"),
)  # fmt: skip

TO_TRANSLATE = (
    Translated(
        "def merge(a, b):\n    out = []\n    i = j = 0\n    while i < len(a) and j < len(b):\n"
        "        if a[i] <= b[j]:\n            out.append(a[i])\n            i += 1\n"
        "        else:\n            out.append(b[j])\n            j += 1\n"
        "    return out + a[i:] + b[j:]\n",
        "JSON.stringify(merge([1, 4], [2, 3, 9])) === '[1,2,3,4,9]'",
    ),
    Translated(
        "def count(text):\n    counts = {}\n    for word in text.split():\n"
        "        counts[word] = counts.get(word, 0) + 1\n    return counts\n",
        "(count('a b a').a ?? count('a b a').get('a')) === 2",
    ),
    Translated(
        "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a\n", "gcd(12, 18) === 6"
    ),
    Translated(
        "def chunks(items, size):\n    for i in range(0, len(items), size):\n"
        "        yield items[i:i + size]\n",
        "JSON.stringify([...chunks([1, 2, 3], 2)]) === '[[1,2],[3]]'",
    ),
    Translated(
        "def prime(n):\n    if n < 2:\n        return False\n"
        "    for i in range(2, int(n ** 0.5) + 1):\n        if n % i == 0:\n"
        "            return False\n    return True\n",
        "prime(7) && !prime(9) && !prime(1) && prime(2)",
    ),
    Translated(
        "def flatten(items):\n    result = []\n    for item in items:\n"
        "        if isinstance(item, list):\n            result.extend(flatten(item))\n"
        "        else:\n            result.append(item)\n    return result\n",
        "JSON.stringify(flatten([1, [2, [3]]])) === '[1,2,3]'",
    ),
    Translated(
        "def most(counts):\n    return max(counts, key=counts.get)\n", "most({a: 1, b: 3}) === 'b'"
    ),
    Translated(
        "def clamp(x, low=0, high=1):\n    return max(low, min(high, x))\n",
        "clamp(5) === 1 && clamp(-1) === 0",
    ),
)  # fmt: skip
