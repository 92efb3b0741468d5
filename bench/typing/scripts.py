"""What a simulated developer types, and when: real code, in bursts and pauses."""

from __future__ import annotations

import random
import re
import sysconfig
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from cato_lsp.commands.arguments import LANGUAGES

MEAN_BURST = 16
PAUSE_S = 0.5
"""A gap of at least so long is a pause."""
LONGEST_PAUSE_S = 2.0
"""The model's pauses (median 6 s) are cut to this: what happens in one, happens at its start."""
_HOLE_LINES = 60
_SUFFIXES = {".py", ".js", ".ts", ".c", ".h", ".cpp", ".hpp", ".go", ".rs", ".java", ".rb", ".php"}
_SMALLEST, _LARGEST = 8_000, 40_000
"""Bytes of a file."""
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
    language: str
    before: str
    after: str
    keys: tuple[Key, ...]

    @property
    def truth(self) -> str:
        """The whole file."""
        return self.before + "".join(key.text for key in self.keys) + self.after


def sources(folders: Sequence[Path], *, held_out: bool) -> list[Path]:
    """Source files of packages that are neither small nor huge, languages in turns.

    Packages are told apart by their names: the figures are of those that are held out, and nothing
    is tuned on them.
    """
    found: dict[str, dict[str, list[Path]]] = {}
    for root in folders:
        for path in _files(root):
            package = path.relative_to(root).parts[0]
            if (zlib.crc32(package.encode()) % 2 == 1) is held_out:
                found.setdefault(LANGUAGES[path.suffix], {}).setdefault(package, []).append(path)
    languages = [_in_turns(found[language].values()) for language in sorted(found)]
    return _in_turns(languages)


def installed() -> list[Path]:
    """Folders of packages that a machine for development has anyway."""
    python = [Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")]
    folders = [*python, Path("vscode-extension/node_modules")]
    return [folder for folder in folders if folder.is_dir()]


def _files(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if path.suffix not in _SUFFIXES or path.is_symlink() or ".min." in path.name:
            continue
        if "site-packages" in path.relative_to(root).parts or not path.is_file():
            continue
        if _SMALLEST < path.stat().st_size < _LARGEST and _is_written(path):
            yield path


def _is_written(path: Path) -> bool:
    """Whether a person wrote it, by its lines' lengths."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return False
    return len(lines) > 200 and max(map(len, lines)) < 300


def _in_turns(lists: Iterable[list[Path]]) -> list[Path]:
    return [path for path in chain.from_iterable(zip_longest(*lists)) if path is not None]


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
    name = f"{zlib.crc32(str(path).encode()):08x}_{path.name}"
    return Script(name, LANGUAGES[path.suffix], before, after, tuple(keys))


def _rest_s(chance: random.Random) -> float:
    if chance.random() < 1 / MEAN_BURST:
        return min(max(chance.lognormvariate(1.79, 1.3), PAUSE_S + 0.1), LONGEST_PAUSE_S)
    return min(chance.lognormvariate(-1.77, 0.5), PAUSE_S - 0.01)
