"""What a developer sees: ghost text, and whether it is what they are about to type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

LOOKS_S = (0.3, 0.5)
"""After a pause begins, it is looked at the screen."""


@dataclass(slots=True)
class Seen:
    """What one developer saw."""

    keys: int = 0
    pauses: int = 0
    right: dict[float, int] = field(default_factory=lambda: dict.fromkeys(LOOKS_S, 0))
    """Pauses with a right suggestion on the screen, by how long after the last key."""
    something: dict[float, int] = field(default_factory=lambda: dict.fromkeys(LOOKS_S, 0))
    wrong_at: dict[float, int] = field(default_factory=lambda: dict.fromkeys(LOOKS_S, 0))
    """Pauses with a suggestion on the screen that is not right."""
    right_characters: int = 0
    """Of the right suggestions on the screen at the last look."""
    typed_characters: int = 0
    saved_characters: int = 0
    """Of accepted suggestions."""
    accepted: int = 0
    shown: int = 0
    """Different suggestions."""
    wrong: int = 0
    stale: int = 0
    """Put on the screen for a place where the cursor was not any more."""

    def add(self, other: Seen) -> None:
        """Takes another developer's in."""
        for name, value in asdict(other).items():
            if isinstance(value, int):
                setattr(self, name, getattr(self, name) + value)
        for look in LOOKS_S:
            self.right[look] += other.right[look]
            self.wrong_at[look] += other.wrong_at[look]
            self.something[look] += other.something[look]


class Screen:
    """The ghost text of one document. It shrinks while it is typed, and goes with another key."""

    def __init__(self, truth: str, offset: int) -> None:
        self.seen = Seen()
        self.offset = offset
        self._truth = truth
        self._ghost = ""
        self._known: set[str] = set()
        self.looked: Callable[[str], None] = lambda _ghost: None
        """Told what is on the screen at each last look."""

    def type(self, text: str) -> None:
        """A key."""
        fits = self._ghost.startswith(text)
        self._ghost = self._ghost[len(text) :] if fits else ""
        self.offset += len(text)
        self.seen.keys += 1
        self.seen.typed_characters += len(text)

    def accept(self) -> str:
        """Takes the suggestion if it is right; what it inserts, empty where it is not."""
        if not self._is_right():
            return ""
        accepted, self._ghost = self._ghost, ""
        self.offset += len(accepted)
        self.seen.accepted += 1
        self.seen.saved_characters += len(accepted)
        return accepted

    def show(self, text: str, offset: int) -> None:
        """An answer for `offset`; an empty one clears the screen."""
        if offset != self.offset:
            self.seen.stale += bool(text)
            return
        self._ghost = text.rstrip()
        line_start = self._truth.rfind("\n", 0, self.offset) + 1
        line = self._truth[line_start : self.offset] + self._ghost
        key = f"{line_start} {line.strip()}"
        if self._ghost and key not in self._known:
            self._known.add(key)
            self.seen.shown += 1
            self.seen.wrong += not self._is_right()

    def look(self, after_s: float) -> None:
        """The developer looks, so long after the last key."""
        self.seen.something[after_s] += bool(self._ghost)
        self.seen.right[after_s] += self._is_right()
        self.seen.wrong_at[after_s] += bool(self._ghost.strip()) and not self._is_right()
        if after_s != LOOKS_S[-1]:
            return
        if self._is_right():
            self.seen.right_characters += len(self._ghost)
        self.looked(self._ghost)

    def _is_right(self) -> bool:
        """Whether all of it will be typed."""
        return bool(self._ghost.strip()) and self._truth.startswith(self._ghost, self.offset)
