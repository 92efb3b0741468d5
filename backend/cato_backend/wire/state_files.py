"""The folders for state and caches, and files that only their owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from platformdirs import user_cache_path, user_state_path


def state_dir() -> Path:
    """Discovery and lock file, logs, feedback. `CATO_STATE_DIR` overrides."""
    return _folder("CATO_STATE_DIR") or user_state_path("cato", appauthor=False)


def cache_dir() -> Path:
    """Return what can be rebuilt: engine environments, tools. `CATO_CACHE_DIR` overrides."""
    return _folder("CATO_CACHE_DIR") or user_cache_path("cato", appauthor=False)


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else None


_FOR_EVERYBODY = stat.S_IROTH | stat.S_IWOTH


def complaint(path: Path) -> str:
    """Return what is wrong with a file that every user can read or change; else nothing.

    Raises OSError.
    """
    if not path.stat().st_mode & _FOR_EVERYBODY:
        return ""
    return f"{path} is open to every user of this machine; run: chmod 600 {path}"


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, in one step: no reader sees half of it.

    The folder is made where there is none. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
