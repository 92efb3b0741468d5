"""What the engine's time went to, by what it computed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum


class Use(StrEnum):
    """What an engine computed."""

    PROMPT = "prompts, as far as they were not cached"
    RIGHT = "tokens that are right, said for the first time"
    AGAIN = "tokens that are right, and had been said before"
    WRONG = "tokens that are wrong"
    FURTHER = "further answers to the same question"


@dataclass(slots=True)
class Line:
    """One answer of a request, and how far it is right."""

    truth: str
    """The text that the person types."""
    offset: int
    """Where the answer goes on in it."""
    further: bool
    """Whether it is compared with another answer, and not shown."""
    right: bool = True


@dataclass(slots=True)
class Spending:
    """Seconds of the engine, by use."""

    seconds: defaultdict[Use, float] = field(default_factory=lambda: defaultdict[Use, float](float))
    _said: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    def add(self, other: Spending) -> None:
        """Takes another one in."""
        for use, seconds in other.seconds.items():
            self.seconds[use] += seconds

    def prompt(self, seconds: float) -> None:
        """Takes note of the new part of a prompt."""
        self.seconds[Use.PROMPT] += seconds

    def token(self, line: Line, text: str, seconds: float) -> None:
        """Takes note of one token that was said."""
        self.seconds[self._use(line, text)] += seconds
        line.offset += len(text)

    def told(self, keys: int) -> str:
        """Milliseconds for each key, in words."""
        return "\n".join(
            f"  {seconds * 1000 / max(keys, 1):6.2f} ms a key: {use}"
            for use, seconds in sorted(self.seconds.items(), key=lambda spent: -spent[1])
        )

    def _use(self, line: Line, text: str) -> Use:
        if line.further:
            return Use.FURTHER
        line.right = line.right and line.truth.startswith(text, line.offset)
        if not line.right:
            return Use.WRONG
        place = line.truth, line.offset
        known = place in self._said
        self._said.add(place)
        return Use.AGAIN if known else Use.RIGHT
