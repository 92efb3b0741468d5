"""The discovery file, by which an editor finds the running backend of its user.

One file per user, `<state dir>/backend.json`, mode 0600, because it holds the token, and the secret
by which the announced process proves itself (`proof`).

A client checks that the process behind an address is the announced one. The discovery file, which
only its owner can read, holds a secret. The client sends a nonce to `IDENTITY_PATH`; only a server
that knows the secret can answer with its proof. The secret itself is never sent. A proof is bound
to one address, so that a server at another address cannot obtain it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cato_backend.wire.state_files import state_dir, write_private

IDENTITY_PATH = "/identity"

NONCE = re.compile(r"[0-9a-f]{32,128}")

_PURPOSE = "cato-identity-1"

_ENDED = ("Z", "X")

_STATE, _START = 0, 19
"""Fields of `/proc/PID/stat`, counted from the one after the name."""

SCHEMA = 2


def new_secret() -> str:
    """Return the secret of one process."""
    return secrets.token_hex(32)


def new_nonce() -> str:
    """Return what a client asks with, once."""
    return secrets.token_hex(16)


def proof(secret: str, url: str, nonce: str) -> str:
    """Return what the process with this secret, listening at `url`, answers to a nonce."""
    text = "\n".join((_PURPOSE, url.rstrip("/"), nonce))
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def is_proof(answer: str, secret: str, url: str, nonce: str) -> bool:
    """Return whether an answer is the proof; takes as long for every wrong one."""
    return hmac.compare_digest(answer.encode(), proof(secret, url, nonce).encode())


def start_time(pid: int) -> int | None:
    """Return when a process started, in the kernel's ticks since boot.

    None where no such process runs, and on systems other than Linux.
    """
    fields = _status(pid)
    return None if not fields or fields[_STATE] in _ENDED else int(fields[_START])


def is_zombie(pid: int) -> bool:
    """Return whether the process ended and its parent has not looked yet; only Linux tells."""
    fields = _status(pid)
    return bool(fields) and fields[_STATE] in _ENDED


def still_runs(pid: int, started: int | None) -> bool:
    """Return whether the process that started then still runs; True where no system tells."""
    if sys.platform != "linux":
        return True
    return started is not None and start_time(pid) == started


def _status(pid: int) -> list[str]:
    """Return the fields of `/proc/PID/stat` after the name; none where it cannot be read."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    # The name in parentheses may hold anything, parentheses included.
    return status.rpartition(")")[2].split()


@dataclass(frozen=True, slots=True)
class Announcement:
    """A running backend: its address, its token, its process."""

    url: str
    token: str | None = field(repr=False)
    pid: int
    version: str
    secret: str = field(repr=False)
    """The secret by which the process proves itself. It is never sent."""
    started: int | None = None
    """When the process started, as `processes.start_time` tells it."""
    language_server: str | None = None
    """The `cato-lsp` of the same installation, for editors that have none."""

    @property
    def process(self) -> tuple[int, int | None, str]:
        """What distinguishes the process from all others."""
        return self.pid, self.started, self.secret


class UntrustedAnnouncement(ValueError):
    """The file exists but cannot be trusted: unreadable, of another owner, or open to others."""


def announcement_path() -> Path:
    """Return the discovery file of this user."""
    return state_dir() / "backend.json"


def election_lock_path() -> Path:
    """Return the file whose lock the co-located backend holds for as long as it lives."""
    return state_dir() / "backend.lock"


def announce(announcement: Announcement, path: Path | None = None) -> None:
    """Write the file in one step, so that a reader never sees half of it."""
    text = json.dumps({"schema": SCHEMA, **asdict(announcement)})
    write_private(path or announcement_path(), text)


def withdraw(pid: int, path: Path | None = None) -> None:
    """Remove the file if it is still that of process `pid`."""
    path = path or announcement_path()
    found = _read(path)
    if found is not None and found.pid == pid:
        path.unlink(missing_ok=True)


def discover(path: Path | None = None) -> Announcement | None:
    """Return the announced backend, or None where there is none, or its process has ended.

    That process must prove that it is the one behind the address (`proof`).

    Raises UntrustedAnnouncement, naming the file and the reason.
    """
    found = _read(path or announcement_path())
    return found if found is not None and still_runs(found.pid, found.started) else None


def _read(path: Path) -> Announcement | None:
    """Return what the file says, also of a process that has ended. Raises UntrustedAnnouncement."""
    try:
        with path.open(encoding="utf-8") as file:
            _check_owner(path, os.fstat(file.fileno()))
            value = json.load(file)
        if value["schema"] != SCHEMA:
            raise UntrustedAnnouncement(
                f"{path}: schema {value['schema']}, expected {SCHEMA}: the backend is of another"
                " version, restart it"
            )
        token, language_server = value["token"], value.get("language_server")
        started = value["started"]
        return Announcement(
            url=str(value["url"]),
            token=None if token is None else str(token),
            pid=int(value["pid"]),
            version=str(value["version"]),
            secret=str(value["secret"]),
            started=None if started is None else int(started),
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
