"""Which source files the corpus takes, and the removal of near-duplicates."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

LANGUAGES = {
    ".py": "python",
    ".js": "javascript",
    ".mjs": "javascript",
    ".ts": "typescript",
    ".tsx": "typescript",
}
SKIPPED_FOLDERS = re.compile(
    r"(^|/)(_?vendor(ed|ized)?|third_?party|thirdparty|externals?|extern|node_modules|tests?|"
    r"testing|__tests__|_?generated|gen|migrations|dist|build|umd|bundles?|locales?|data)/"
)
SKIPPED_NAMES = re.compile(r"(^|/)(test_.*|.*_test|.*_pb2(_grpc)?|.*\.min|.*\.d|.*\.bundle)\.\w+$")
GENERATED = re.compile(r"(?i)(auto-?\s?generated|generated (by|from)|do not (edit|modify))")
WINDOW_LINES = 5


def language_of(path: str) -> str | None:
    """The language by suffix; None for files that the corpus does not take."""
    if SKIPPED_FOLDERS.search(path) or SKIPPED_NAMES.search(path):
        return None
    return LANGUAGES.get(PurePosixPath(path).suffix)


def decode(content: bytes) -> str | None:
    """UTF-8 text with plain line ends; None for anything else."""
    try:
        return content.decode("utf-8").replace("\r\n", "\n").lstrip("\ufeff")
    except UnicodeDecodeError:
        return None


def looks_written(text: str) -> bool:
    """Whether a person seems to have written this file: no tables, minified or generated text."""
    if not 200 <= len(text) <= 150_000 or GENERATED.search(text[:2000]):
        return False
    lines = text.split("\n")
    if len(text) / len(lines) > 70 or max(map(len, lines)) > 400:
        return False
    letters = sum(char.isalpha() or char.isspace() for char in text)
    return (letters > 0.65 * len(text) and text.isascii()) or letters > 0.8 * len(text)


class DuplicateFilter:
    """Drops a file when more than half of its windows of five lines were seen before.

    Lines shorter than four characters do not count; indentation is ignored.
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def _windows(self, text: str) -> set[int]:
        lines = [line.strip() for line in text.split("\n")]
        lines = [line for line in lines if len(line) >= 4]
        last = max(1, len(lines) - WINDOW_LINES + 1)
        return {hash(tuple(lines[at : at + WINDOW_LINES])) for at in range(last)}

    def is_new(self, text: str) -> bool:
        """Whether the file is new; if so, its windows are remembered."""
        windows = self._windows(text)
        if len(windows & self._seen) > len(windows) / 2:
            return False
        self._seen |= windows
        return True
