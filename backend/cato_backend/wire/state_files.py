"""The folders for state and caches, paths as people write them, and files for their owner alone."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from platformdirs import user_cache_path, user_state_path


def state_dir() -> Path:
    """Discovery and lock file, logs, feedback. `CATO_STATE_DIR` overrides. Raises OSError."""
    return _folder("CATO_STATE_DIR") or user_state_path("cato", appauthor=False)


def cache_dir() -> Path:
    """Return what can be rebuilt: engine environments, tools. `CATO_CACHE_DIR` overrides."""
    return _folder("CATO_CACHE_DIR") or user_cache_path("cato", appauthor=False)


def with_home(path: str) -> str:
    """Return a path with the home folder in place of `~`.

    Raises ValueError, with what is expected as its text, for what no path can be.
    """
    if "\0" in path:
        raise ValueError("a path without the character NUL")
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise ValueError("a path whose ~ stands for the home folder of a user of this machine")
    return expanded


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable)
    if not value:
        return None
    try:
        return Path(with_home(value))
    except ValueError as error:
        raise FileNotFoundError(errno.ENOENT, f"expected {error}", f"{variable}={value}") from error


_FOR_EVERYBODY = stat.S_IROTH | stat.S_IWOTH


def complaint(path: Path) -> str:
    """Return what is wrong with a file that every user can read or change; else nothing.

    What is no regular file is refused: to read a pipe would wait for its writer. Raises OSError.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        return f"{path} is no regular file"
    if not mode & _FOR_EVERYBODY:
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
