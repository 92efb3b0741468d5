"""Where CATO keeps what is not configuration, on every platform."""

from __future__ import annotations

import os
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
