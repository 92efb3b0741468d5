"""The discovery file: how an editor finds the backend that this user already runs.

One file per user, `<state dir>/backend.json`, mode 0600, because it holds the token.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from cato_backend.wire.paths import state_dir

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Announcement:
    """A running backend: where it listens, what opens it, which process it is."""

    url: str
    token: str | None
    pid: int
    version: str
    language_server: str | None = None
    """The `cato-lsp` of the same installation, for editors that have none."""


class UntrustedAnnouncement(ValueError):
    """The file exists but must not be believed: unreadable, of another owner, open to others."""


def announcement_path() -> Path:
    """Return the discovery file of this user."""
    return state_dir() / "backend.json"


def election_lock_path() -> Path:
    """Return the file whose lock the co-located backend holds for as long as it lives."""
    return state_dir() / "backend.lock"


def announce(announcement: Announcement, path: Path | None = None) -> None:
    """Write the file in one step, so that a reader never sees half of it."""
    path = path or announcement_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"schema": SCHEMA, **asdict(announcement)}, file)
    draft.replace(path)


def withdraw(pid: int, path: Path | None = None) -> None:
    """Remove the file if it is still that of process `pid`."""
    path = path or announcement_path()
    found = discover(path)
    if found is not None and found.pid == pid:
        path.unlink(missing_ok=True)


def discover(path: Path | None = None) -> Announcement | None:
    """Return the announced backend, or None where there is none.

    It may have died since: ask /health.

    Raises UntrustedAnnouncement, naming the file and the reason.
    """
    path = path or announcement_path()
    try:
        with path.open(encoding="utf-8") as file:
            _check_owner(path, os.fstat(file.fileno()))
            value = json.load(file)
        if value["schema"] != SCHEMA:
            raise UntrustedAnnouncement(f"{path}: schema {value['schema']}, expected {SCHEMA}")
        token, language_server = value["token"], value.get("language_server")
        return Announcement(
            url=str(value["url"]),
            token=None if token is None else str(token),
            pid=int(value["pid"]),
            version=str(value["version"]),
            language_server=None if language_server is None else str(language_server),
        )
    except FileNotFoundError:
        return None
    except UntrustedAnnouncement:
        raise
    except OSError as error:
        raise UntrustedAnnouncement(f"{path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UntrustedAnnouncement(f"{path}: is not a backend's announcement: {error}") from error


def _check_owner(path: Path, status: os.stat_result) -> None:
    if os.name != "posix":
        return
    if status.st_uid != os.getuid():
        raise UntrustedAnnouncement(f"{path}: belongs to user {status.st_uid}, not to you")
    if status.st_mode & 0o077:
        raise UntrustedAnnouncement(f"{path}: mode {status.st_mode & 0o777:o}, expected 600")
