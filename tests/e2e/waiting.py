"""Waiting for what another process does, which brings no event."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02
PATIENCE_S = 20.0


def wait_for(what: str, look: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """The first true value of `look`, asked again and again. Raises AssertionError."""
    deadline = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {patience_s} s for {what}; last: {found!r}"
        time.sleep(POLL_S)
    return found


def wait_written(file: Path, text: str) -> None:
    """Waits until `file` holds `text` and nothing else. Raises AssertionError.

    While an editor saves a file, the file may be absent or empty for a moment.
    """
    wait_for(f"{file.name} as {text!r}", lambda: _read(file) == text)


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
