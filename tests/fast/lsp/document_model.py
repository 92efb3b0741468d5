"""A document as a plain string, edited the slow and obvious way, and random edits for it."""

from __future__ import annotations

import random
from dataclasses import dataclass

from cato_lsp.text import Change, Encoding, Position, Range


def lines_of(text: str) -> list[str]:
    """The lines with their ends; the last one has none."""
    lines, line, i = [], "", 0
    while i < len(text):
        line += text[i]
        i += 1
        if line[-1] == "\r" and i < len(text) and text[i] == "\n":
            line += "\n"
            i += 1
        if line[-1] in "\r\n":
            lines.append(line)
            line = ""
    return [*lines, line]


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
