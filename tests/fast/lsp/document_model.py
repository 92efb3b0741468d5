"""A document as a plain string, edited the slow and obvious way, and random edits for it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from cato_lsp.text import Change, Encoding, Position, Range

_LINE_END = re.compile(r"(\r\n|\r|\n)")


def lines_of(text: str) -> list[str]:
    """The lines with their ends; the last one has none."""
    *parts, last = _LINE_END.split(text)
    return [*map("".join, zip(parts[::2], parts[1::2], strict=True)), last]


def width(character: str, encoding: Encoding) -> int:
    """How many units one character takes."""
    if encoding is Encoding.UTF32:
        return 1
    if encoding is Encoding.UTF16:
        return 2 if ord(character) > 0xFFFF else 1
    return len(character.encode())


def offset_of(text: str, position: Position, encoding: Encoding) -> int:
    """The offset that LSP means by `position`, clamped."""
    lines = lines_of(text)
    if position.line >= len(lines):
        return len(text)
    offset = sum(len(line) for line in lines[: position.line])
    units = 0
    for character in lines[position.line].rstrip("\r\n"):
        units += width(character, encoding)
        if units > position.character:
            break
        offset += 1
    return offset


@dataclass
class Model:
    """The client's side: applies a change to a plain string."""

    text: str
    encoding: Encoding

    def apply(self, change: Change) -> None:
        if change.range is None:
            self.text = change.text
            return
        start = offset_of(self.text, change.range.start, self.encoding)
        end = offset_of(self.text, change.range.end, self.encoding)
        start, end = min(start, end), max(start, end)
        self.text = self.text[:start] + change.text + self.text[end:]


def undone(before: str, after: str) -> Change:
    """What makes `before` of `after` again, as an editor's undo: the lines that differ."""
    old, new = lines_of(before), lines_of(after)
    head = _alike(old, new)
    tail = _alike(old[head:][::-1], new[head:][::-1])
    start, end = Position(head, 0), Position(len(new) - tail, 0)
    if not tail:
        start = start if head < len(new) else Position(head - 1, len(after))
        end = Position(len(new), 0)
    return Change("".join(old[head : len(old) - tail]), Range(start, end))


def _alike(left: list[str], right: list[str]) -> int:
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


PIECES = (
    *"abcxyz_019 (){}[]<>:;,.=+-*/\\\"'`#@$|&!?~%^",
    *("\n", "\n", "\n", "\r\n", "\r", "\r", "\n\n", "\t", "    ", "\n    "),
    *("é", "ß", "漢字", "😀", "👩\u200d🚀", "\u2028", "\x0b", "\ufeff"),
    *(
        "def f(a):\n    return a\n",
        "if x:\n",
        "class A {\n  int b;\n}\n",
        '"""',
        "/* ",
        "*/",
        "// ",
    ),
)


def random_text(chance: random.Random, pieces: int) -> str:
    """A text of so many pieces."""
    return "".join(chance.choices(PIECES, k=pieces))


def random_change(chance: random.Random, text: str, encoding: Encoding) -> Change:
    """Mostly small ranged edits; some outside of the text, some inside of a character."""
    if chance.random() < 0.01:
        return Change(random_text(chance, chance.randrange(60)))
    lines = text.count("\n") + text.count("\r") + 2
    line, character = chance.randrange(lines), chance.choice((0, chance.randrange(40)))
    if chance.random() < 0.6:
        end = Position(line, character + chance.choice((0, 0, 0, 1, 2, 9)))
    else:
        end = Position(line + chance.randrange(3), chance.randrange(40))
    # Deletions keep pace with insertions, so that the text keeps its size.
    pieces = chance.choice((0, 1, 1, 1, 2, 3)) if len(text) < 1_500 else chance.choice((0, 0, 1))
    return Change(random_text(chance, pieces), Range(Position(line, character), end))
