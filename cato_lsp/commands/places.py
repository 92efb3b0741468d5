"""A place in a file, as a person types it: FILE:LINE[:COLUMN], counted from 1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cato_lsp.commands.failures import CommandFailed
from cato_lsp.session.privacy import Privacy
from cato_lsp.settings.settings import PrivacySettings
from cato_lsp.syntax import open_document
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

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(:(?P<column>\d+))?")


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A file, read, and an offset in it."""

    snapshot: Snapshot
    offset: int


def read_place(text: str, language: str | None, settings: PrivacySettings) -> FileLocation:
    """The place that `text` names; without a column, the end of the line without its blanks.

    Raises CommandFailed, also for a file that is not read to a model.
    """
    match = _PLACE.fullmatch(text)
    if match is None:
        raise CommandFailed(f"{text!r} is no place: expected FILE:LINE:COLUMN, counted from 1")
    path = Path(match["file"])
    reason = Privacy(settings, [Path.cwd()]).reason(path)
    if reason is not None:
        raise CommandFailed(f"{path} is not read to a model: {reason}")
    language_id = language or LANGUAGES.get(path.suffix.lower(), "plaintext")
    snapshot = open_document(path.resolve().as_uri(), language_id, 1, _read(path)).snapshot()
    line = int(match["line"]) - 1
    if not 0 <= line < snapshot.lines.count:
        raise CommandFailed(f"{path} has {snapshot.lines.count} lines, there is no line {line + 1}")
    column = int(match["column"]) - 1 if match["column"] else len(snapshot.line(line).rstrip())
    return FileLocation(snapshot, snapshot.offset(Position(line, column), Encoding.UTF32))


def _read(path: Path) -> str:
    try:
        # Line ends are kept: offsets must be those of the file.
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise CommandFailed(f"{path} is not UTF-8 (byte {error.start})") from error
    except OSError as error:
        raise CommandFailed(f"{path}: {error.strerror}") from error
