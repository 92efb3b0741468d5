"""What signals ask of a running server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

_STDIN = 0


class Signals:
    """SIGTERM and SIGINT end the server, SIGHUP lets it read its credentials again.

    SIGHUP ends it, too, where it was started on a terminal that has been closed since: no one
    would see it any more.
    """

    def __init__(self, reload: Callable[[], None]) -> None:
        self.stop = asyncio.Event()
        """The server is to end."""
        self.hurry = asyncio.Event()
        """It was asked to a second time."""
        self._reload = reload
        self._has_terminal = os.isatty(_STDIN)

    def listen(self) -> None:
        """Hears signals from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _end(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()

    def _hang_up(self) -> None:
        if self._has_terminal and _terminal_is_gone():
            self._end()
        else:
            self._reload()


def _terminal_is_gone() -> bool:
    try:
        os.tcgetpgrp(_STDIN)
    except OSError:
        return True
    return False
