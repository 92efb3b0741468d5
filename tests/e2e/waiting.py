"""Waiting for what another process does, which brings no event."""

from __future__ import annotations

import time
from collections.abc import Callable
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
