"""Finds the backend: the one of the settings, else the one that this user runs, else a new one.

A backend that is started here outlives this process and serves all the user's editors.

Tokens of sign-ins are kept in `<state dir>/sign-ins.json`, mode 0600. Each is for one backend's
address, and is sent to no other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from cato_backend.wire.discovery import Announcement, UntrustedAnnouncement, discover
from cato_backend.wire.state_files import complaint, state_dir, write_private
from cato_lsp.settings.settings import BackendSettings

CONFIG_VARIABLE = "CATO_CONFIG"
"""Names the cato.toml of the backend that is started here."""

LINES_SHOWN = 3


class UntrustedTokens(ValueError):
    """The file exists but cannot be used: open to other users, or of another format."""


def kept_tokens_path() -> Path:
    """Return the file."""
    return state_dir() / "sign-ins.json"


def kept_token(url: str) -> str | None:
    """Return the token for the backend at `url`; None if the user has not signed in there.

    Raises UntrustedTokens.
    """
    return _read().get(url)


def keep_token(url: str, token: str) -> None:
    """Keep the token for the backend at `url`. Raises UntrustedTokens, OSError."""
    _write({**_read(), url: token})


def forget_token(url: str) -> None:
    """Forget the token for the backend at `url`. Raises UntrustedTokens, OSError."""
    _write({known: token for known, token in _read().items() if known != url})


def _read() -> dict[str, str]:
    path = kept_tokens_path()
    try:
        found = complaint(path)
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UntrustedTokens(f"{path}: {error}; remove it and sign in again") from error
    if found:
        raise UntrustedTokens(found)
    if not isinstance(value, dict):
        raise UntrustedTokens(f"{path}: it holds no tokens; remove it and sign in again")
    entries = cast("dict[str, object]", value).items()
    return {url: token for url, token in entries if isinstance(token, str)}


def _write(tokens: dict[str, str]) -> None:
    write_private(kept_tokens_path(), json.dumps(tokens))


SERVE = (sys.executable, "-P", "-m", "cato_backend", "serve", "--colocated")


class Origin(StrEnum):
    """Ways to find a backend."""

    SETTINGS = "settings"
    DISCOVERED = "discovered"


@dataclass(frozen=True, slots=True)
class Target:
    """The address of a backend, and its token."""

    url: str
    token: str | None = field(repr=False)
    origin: Origin
    announcement: Announcement | None = None
    """The announcement of a discovered backend, whose process must be the one that answers."""


def locate(settings: BackendSettings) -> Target | None:
    """Return the backend to use, which need not answer; None if none is known.

    Raises wire.discovery.UntrustedAnnouncement, UntrustedTokens.
    """
    if settings.url:
        token = settings.token or kept_token(settings.url)
        if token:
            return Target(settings.url, token, Origin.SETTINGS)
        return _announced_at(settings.url)
    announcement = discover()
    if announcement is None:
        return None
    url = announcement.url.rstrip("/")
    return Target(url, announcement.token, Origin.DISCOVERED, announcement)


def _announced_at(url: str) -> Target:
    """Return the target at `url`, with the token of this user's own backend where it is that."""
    try:
        found = discover()
    except UntrustedAnnouncement:
        found = None
    if found is None or _place(found.url) != _place(url):
        return Target(url, None, Origin.SETTINGS)
    # At the announced address: what the process proves is about that one.
    return Target(found.url.rstrip("/"), found.token, Origin.SETTINGS, found)


def _place(url: str) -> str:
    """Return the URL in one form; `localhost` stands for the address that it usually has."""
    parts = urlsplit(url.rstrip("/"))
    if parts.hostname != "localhost":
        return parts.geturl()
    return parts._replace(netloc=parts.netloc.lower().replace("localhost", "127.0.0.1")).geturl()


def can_start_backend() -> bool:
    """Return whether a backend runs on this platform."""
    return sys.platform == "linux"


def backend_log() -> Path:
    """Return where a started backend writes what it has to say."""
    return state_dir() / "backend.log"


class StartedBackend:
    """A process that was started here. It may exit with 0 because another one holds the lock."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, log_start: int) -> None:
        self._process = process
        self._log = log
        self._log_start = log_start

    def failure(self) -> str | None:
        """Return why it died, in its own words; None while it runs or if it left on purpose."""
        status = self._process.poll()
        if not status:
            return None
        return self._last_words() or f"the backend ended with status {status}"

    def _last_words(self) -> str:
        with self._log.open("rb") as file:
            file.seek(self._log_start)
            text = file.read().decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return "\n".join(lines[-LINES_SHOWN:])


def _command() -> list[str]:
    config = os.environ.get(CONFIG_VARIABLE)
    return [*SERVE, "--config", config] if config else list(SERVE)


def start_backend() -> StartedBackend:
    """Start a backend in a session of its own. Raises OSError if that is impossible."""
    log = backend_log()
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("ab") as file:
        log_start = file.tell()
        process = subprocess.Popen(
            _command(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            cwd=Path.home(),
        )
    return StartedBackend(process, log, log_start)
