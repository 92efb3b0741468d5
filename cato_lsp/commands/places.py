"""A place or a part of a file, as a person types it; lines and columns are counted from 1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cato_lsp.commands.failures import CommandFailed
from cato_lsp.session.privacy import Privacy
from cato_lsp.settings.settings import PrivacySettings
from cato_lsp.syntax import open_document
from cato_lsp.tasks.selection import Range
from cato_lsp.text import Encoding, Position, Snapshot

LANGUAGES = MappingProxyType(
    {
        ".py": "python",
        ".pyi": "python",
        ".js": "javascript",
        ".mjs": "javascript",
        ".cjs": "javascript",
        ".jsx": "javascriptreact",
        ".ts": "typescript",
        ".mts": "typescript",
        ".tsx": "typescriptreact",
        ".java": "java",
        ".go": "go",
        ".rs": "rust",
        ".c": "c",
        ".h": "c",
        ".cc": "cpp",
        ".cpp": "cpp",
        ".cxx": "cpp",
        ".hpp": "cpp",
        ".cs": "csharp",
        ".rb": "ruby",
        ".php": "php",
    }
)
"""Language ids by the file's suffix, as editors assign them."""

_RANGE = re.compile(r"(?P<file>.+?):(?P<first>\d+)(?:-(?P<last>\d+)|:(?P<column>\d+))?")
_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(:(?P<column>\d+))?")


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A file, read, and an offset in it."""

    snapshot: Snapshot
    offset: int


@dataclass(frozen=True, slots=True)
class FileRange:
    """A file, read, and a part of it; None: all of it."""

    snapshot: Snapshot
    chosen: Range | None
    path: Path


def read_range(text: str, language: str | None, settings: PrivacySettings) -> FileRange:
    """The file and the part of it that `text` names: FILE, FILE:LINE or FILE:FIRST-LAST.

    Raises CommandFailed, also for a file that is not read to a model.
    """
    match = _RANGE.fullmatch(text)
    # A file may be called as a range is.
    if match is None or Path(text).is_file():
        return FileRange(_snapshot(Path(text), language, settings), None, Path(text))
    path = Path(match["file"])
    snapshot = _snapshot(path, language, settings)
    first = int(match["first"]) - 1
    _check_line(path, snapshot, first)
    if match["last"] is None:
        column = int(match["column"]) - 1 if match["column"] else _end_of(snapshot, first)
        at = snapshot.offset(Position(first, column), Encoding.UTF32)
        return FileRange(snapshot, Range(at, at), path)
    last = int(match["last"]) - 1
    _check_line(path, snapshot, last)
    if last < first:
        raise CommandFailed(f"{text!r} is no range: line {last + 1} is before line {first + 1}")
    start = snapshot.lines.start(first)
    return FileRange(snapshot, Range(start, snapshot.lines.end(last, snapshot.text)), path)


def read_place(text: str, language: str | None, settings: PrivacySettings) -> FileLocation:
    """The place that `text` names; without a column, the end of the line without its blanks.

    Raises CommandFailed, also for a file that is not read to a model.
    """
    match = _PLACE.fullmatch(text)
    if match is None:
        raise CommandFailed(f"{text!r} is no place: expected FILE:LINE:COLUMN, counted from 1")
    path = Path(match["file"])
    snapshot = _snapshot(path, language, settings)
    line = int(match["line"]) - 1
    _check_line(path, snapshot, line)
    column = int(match["column"]) - 1 if match["column"] else _end_of(snapshot, line)
    return FileLocation(snapshot, snapshot.offset(Position(line, column), Encoding.UTF32))


def _snapshot(path: Path, language: str | None, settings: PrivacySettings) -> Snapshot:
    reason = Privacy(settings, [Path.cwd()]).reason(path)
    if reason is not None:
        raise CommandFailed(f"{path} is not read to a model: {reason}")
    language_id = language or LANGUAGES.get(path.suffix.lower(), "plaintext")
    return open_document(path.resolve().as_uri(), language_id, 1, _read(path)).snapshot()


def _check_line(path: Path, snapshot: Snapshot, line: int) -> None:
    if not 0 <= line < snapshot.lines.count:
        raise CommandFailed(f"{path} has {snapshot.lines.count} lines, there is no line {line + 1}")


def _end_of(snapshot: Snapshot, line: int) -> int:
    """The column behind the line's last character that is not blank."""
    return len(snapshot.line(line).rstrip())


def _read(path: Path) -> str:
    try:
        # Line ends are kept: offsets must be those of the file.
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{path} is not UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}") from error
