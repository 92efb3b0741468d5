"""What the process does around its backend: the lock that keeps it single, signals."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from cato_backend.wire.discovery import election_lock_path

_STDIN = 0


@contextmanager
def elected(path: Path | None = None) -> Generator[bool]:
    """Yield whether this process is the one, for as long as the block lasts.

    The kernel frees the lock when the process dies, however it dies. Children do not inherit it.
    """
    path = path or election_lock_path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


class Signals:
    """SIGTERM and SIGINT end the server, SIGHUP lets it read its credentials again.

    SIGHUP ends it, too, where it was started on a terminal that has been closed since: no one
    would see it any more.
    """

    def __init__(self) -> None:
        """Note SIGHUP from now on, which would end the process while it starts."""
        self.stop = asyncio.Event()
        """The server is to end."""
        self.hurry = asyncio.Event()
        """It was asked to a second time."""
        self._reload: Callable[[], None] | None = None
        """None while the process starts."""
        self._reload_is_due = False
        self._has_terminal = os.isatty(_STDIN)
        signal.signal(signal.SIGHUP, lambda _number, _frame: self._hang_up_early())

    def listen(self) -> None:
        """Hear signals from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def serves(self, reload: Callable[[], None]) -> None:
        """Reload at SIGHUP from now on, and at once where it came during the start."""
        self._reload = reload
        if self._reload_is_due:
            reload()

    def _end(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()

    def _hang_up_early(self) -> None:
        if self._has_terminal and _terminal_is_gone():
            raise KeyboardInterrupt
        self._reload_is_due = True

    def _hang_up(self) -> None:
        if self._has_terminal and _terminal_is_gone():
            self._end()
        elif self._reload is None:
            self._reload_is_due = True
        else:
            self._reload()


def _terminal_is_gone() -> bool:
    try:
        os.tcgetpgrp(_STDIN)
    except OSError:
        return True
    return False
