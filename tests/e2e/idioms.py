"""The idioms that are typed in the editors: for each a small file in which one line is begun."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from training.places import CONSTRUCTOR, GUARD, LOOP, READING, Idiom, Place


@dataclass(frozen=True, slots=True)
class Begun:
    """A file on the disk; the last character before the cursor is the key that asks."""

    name: str
    idiom: Idiom
    place: Place

    @property
    def file(self) -> str:
        """A file name."""
        return f"{self.name}.py"

    @property
    def before(self) -> str:
        """Up to where the key is typed."""
        return self.place.before[:-1]

    @property
    def key(self) -> str:
        """What is typed."""
        return self.place.before[-1]

    @property
    def source(self) -> str:
        """The file before anything is typed."""
        return self.before + self.place.after

    @property
    def line(self) -> int:
        """The cursor's line, counted from 1."""
        return self.before.count("\n") + 1

    def is_useful(self, text: str) -> bool:
        """Whether what was accepted is of use in the file. Raises SyntaxError, AssertionError."""
        ast.parse(text)
        before, after = self.place.before, self.place.after.rstrip()
        assert text.startswith(before), text
        assert text.rstrip().endswith(after), text
        accepted = text.rstrip()[len(before) : len(text.rstrip()) - len(after)]
        return self.place.is_right(self.idiom, accepted)


IDIOMS_BEGUN = (
    Begun("loop", LOOP, LOOP.places[2]),
    Begun("guard", GUARD, GUARD.places[0]),
    Begun("constructor", CONSTRUCTOR, CONSTRUCTOR.places[1]),
    Begun("reading", READING, READING.places[0]),
)
"""One file of each idiom; how many others the embedded model gets right: docs/embedded-model.md."""
