"""Arguments of commands: a backend, and a place in a file or a part of it.

The backend is found as an editor finds it, but never started.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cato_backend.wire.discovery import UntrustedAnnouncement
from cato_lsp.backend.client import BackendClient
from cato_lsp.backend.discovery import Origin, Target, UntrustedTokens, locate
from cato_lsp.backend.failures import BackendFailure, Denied
from cato_lsp.backend.link import NONE_FOUND, Connection
from cato_lsp.session.privacy import Privacy
from cato_lsp.settings.settings import PrivacySettings, Settings, parse
from cato_lsp.syntax import open_document
from cato_lsp.tasks.selection import TextRange
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
        ".lua": "lua",
        ".kt": "kotlin",
        ".kts": "kotlin",
    }
)
"""Language ids by the file's suffix, as editors assign them."""

_OPTIONS = MappingProxyType({"privacy.ignore": "--ignore"})
"""What settings are called on the command line."""

_RANGE = re.compile(r"(?P<file>.+?):(?P<first>\d+)(?:-(?P<last>\d+)|:(?P<column>\d+))?")
_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+)(:(?P<column>\d+))?")


def add_backend_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a backend."""
    parser.add_argument("--url", help="the backend (else CATO_BACKEND_URL, else your running one)")
    parser.add_argument("--token", help="its token (else CATO_BACKEND_TOKEN)")


def add_url_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a team's server."""
    parser.add_argument("--url", help="the server (else CATO_BACKEND_URL)")


def named_backend(url: str | None) -> Target:
    """Return the server that is named, without a token. Raises CommandFailed."""
    settings, complaints = parse({"backend": {"url": url}})
    if complaints or not settings.backend.url:
        expected = complaints[0].expected if complaints else "--url, or CATO_BACKEND_URL"
        raise CommandFailed(f"which server? expected {expected}")
    return Target(settings.backend.url, None, Origin.SETTINGS)


def add_privacy_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is kept from the model."""
    parser.add_argument(
        "--ignore",
        metavar="PATTERN",
        action="append",
        default=[],
        help="files that are never sent to the model, in addition to secrets and to what git "
        "ignores: as in .gitignore, relative to the current folder, absolute, or from ~; may be "
        "given several times. The privacy settings of an editor are not known here",
    )


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Return the settings that the arguments and the environment give. Raises CommandFailed."""
    settings, complaints = parse(
        {
            "backend": {"url": arguments.url, "token": arguments.token},
            "privacy": {"ignore": arguments.ignore},
        }
    )
    if complaints:
        first = complaints[0]
        name = _OPTIONS.get(first.setting, first.setting)
        raise CommandFailed(f"{name} must be {first.expected}")
    return settings


def target_of(settings: Settings) -> Target:
    """Return the backend to ask. Raises CommandFailed."""
    try:
        target = locate(settings.backend)
    except (UntrustedAnnouncement, UntrustedTokens) as error:
        raise CommandFailed(str(error)) from error
    if target is None:
        raise CommandFailed(NONE_FOUND)
    return target


@asynccontextmanager
async def connected(settings: Settings) -> AsyncGenerator[Connection]:
    """Yield a connection to the backend. Raises CommandFailed, also for what fails inside."""
    async with BackendClient(target_of(settings)) as client:
        try:
            round_trip_ms = await client.health()
            yield Connection(client, await client.model(), round_trip_ms)
        except Denied as denied:
            raise CommandFailed(
                f"{denied} (set CATO_BACKEND_TOKEN or --token, or run `cato sign-in`)"
            ) from denied
        except BackendFailure as failure:
            raise CommandFailed(str(failure)) from failure


class CommandFailed(Exception):
    """The text says what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A file, read, and an offset in it."""

    snapshot: Snapshot
    offset: int


@dataclass(frozen=True, slots=True)
class FileRange:
    """A file, read, and a part of it; None: all of it."""

    snapshot: Snapshot
    chosen: TextRange | None
    path: Path


def read_range(text: str, language: str | None, settings: PrivacySettings) -> FileRange:
    """Return the file and the part of it that FILE, FILE:LINE or FILE:FIRST-LAST names.

    Raises CommandFailed, also for a file that is not sent to a model.
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
        return FileRange(snapshot, TextRange(at, at), path)
    last = int(match["last"]) - 1
    _check_line(path, snapshot, last)
    if last < first:
        raise CommandFailed(f"{text!r} is no range: line {last + 1} is before line {first + 1}")
    start = snapshot.lines.start(first)
    return FileRange(snapshot, TextRange(start, snapshot.lines.end(last, snapshot.text)), path)


def read_place(text: str, language: str | None, settings: PrivacySettings) -> FileLocation:
    """Return the place that `text` names.

    Without a column, it is the end of the line, before any blanks there.

    Raises CommandFailed, also for a file that is not sent to a model.
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
        raise CommandFailed(f"{path} is not sent to a model: {reason}")
    language_id = language or LANGUAGES.get(path.suffix.lower(), "plaintext")
    return open_document(path.resolve().as_uri(), language_id, 1, _read(path)).snapshot()


def _check_line(path: Path, snapshot: Snapshot, line: int) -> None:
    if not 0 <= line < snapshot.lines.count:
        # Editors show an empty line after the last line end; it is not counted here.
        lines = snapshot.lines.count - (not snapshot.line(snapshot.lines.count - 1))
        counted = "1 line" if lines == 1 else f"{lines} lines"
        raise CommandFailed(f"{path} has {counted}, there is no line {line + 1}")


def _end_of(snapshot: Snapshot, line: int) -> int:
    """Return the column behind the line's last character that is not blank."""
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
