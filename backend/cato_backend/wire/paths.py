"""Where CATO keeps what is not configuration, on every platform; paths as people write them."""

from __future__ import annotations

import errno
import os
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
