"""What a simulated developer types, and when: real code, in bursts and pauses."""

from __future__ import annotations

import random
import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path

MEAN_BURST = 16
PAUSE_S = 0.5
"""A gap of at least so long is a pause."""
LONGEST_PAUSE_S = 2.0
"""The model's pauses (median 6 s) are cut to this: what happens in one, happens at its start."""
_HOLE_LINES = 60
_KEY = re.compile(r"\n[ \t]*|[^\n]")


@dataclass(frozen=True, slots=True)
class Key:
    """One key: what it inserts (Enter indents, too), and how long the hands rest after it."""

    text: str
    rest_s: float

    @property
    def pauses(self) -> bool:
        """Whether a burst ends with it."""
        return self.rest_s >= PAUSE_S


@dataclass(frozen=True, slots=True)
class Script:
    """A file with a hole in it, and the keys that fill it."""

    name: str
    before: str
    after: str
    keys: tuple[Key, ...]

    @property
    def truth(self) -> str:
        """The whole file."""
        return self.before + "".join(key.text for key in self.keys) + self.after


def sources() -> list[Path]:
    """Modules of the standard library that are neither small nor huge."""
    folder = Path(sysconfig.get_path("stdlib"))
    modules = (path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_"))
    return [path for path in modules if 10_000 < path.stat().st_size < 40_000]


def script(path: Path, seed: int, longest_s: float) -> Script:
    """Somebody retypes lines of the middle of a file; the same seed types the same."""
    chance = random.Random(f"{path.name} {seed}")
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    first = chance.randrange(len(lines) // 4, max(len(lines) - 2 * _HOLE_LINES, len(lines) // 3))
    while not lines[first].strip():
        first += 1
    indentation = len(lines[first]) - len(lines[first].lstrip())
    before = "".join(lines[:first]) + lines[first][:indentation]
    hole = "".join(lines[first:])[indentation:]
    keys: list[Key] = []
    lasts_s, typed = 0.0, 0
    for match in _KEY.finditer(hole):
        key = Key(match[0], _rest_s(chance))
        keys.append(key)
        lasts_s, typed = lasts_s + key.rest_s, match.end()
        if lasts_s >= longest_s:
            break
    after = hole[typed:]
    # The line that was begun is typed as far as time allows; what follows it stands there.
    after = after[after.find("\n") :] if "\n" in after else ""
    return Script(path.name, before, after, tuple(keys))


def _rest_s(chance: random.Random) -> float:
    if chance.random() < 1 / MEAN_BURST:
        return min(max(chance.lognormvariate(1.79, 1.3), PAUSE_S + 0.1), LONGEST_PAUSE_S)
    return min(chance.lognormvariate(-1.77, 0.5), PAUSE_S - 0.01)
