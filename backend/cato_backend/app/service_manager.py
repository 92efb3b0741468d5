"""Tells systemd how the service is, as sd_notify(3) does: ready, reloading, stopping, alive."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Mapping

_MICROSECONDS = 1_000_000


class ServiceManager:
    """Sends to the socket that systemd names in the environment; without one it does nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A name that begins with @ lies in Linux's abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = _watchdog_s(environment)

    def ready(self) -> None:
        """Tell that requests are taken."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Tell that files are read again; `ready` must follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Tell that the service ends."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        # What followed a line's end would be another message to systemd.
        self._tell(f"STATUS={' '.join(text.splitlines())}")

    async def watch(self) -> None:
        """Tell again and again that the event loop runs, until it is cancelled.

        Return at once where the unit has no `WatchdogSec`.
        """
        while self._watchdog_s:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self._watchdog_s / 2)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.connect(self._address)
                sender.send("\n".join(lines).encode())
            except OSError:
                return  # The manager has ended or reads too slowly: the service runs on.


def _watchdog_s(environment: Mapping[str, str]) -> float:
    """Return the longest time between two signs of life, 0 where none is asked of this process."""
    given, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    is_meant = not pid or pid == str(os.getpid())
    return int(given) / _MICROSECONDS if given.isdecimal() and is_meant else 0.0
