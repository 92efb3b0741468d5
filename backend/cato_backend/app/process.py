"""The process around a backend: single-instance lock, signals, announcement, systemd, reloading."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sysconfig
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from cato_backend import __version__
from cato_backend.config import Config, TeamConfig
from cato_backend.config.loading import change_of
from cato_backend.errors import ConfigError
from cato_backend.gateway.client_records import WarmCaps
from cato_backend.gateway.costs import usage_prices
from cato_backend.gateway.server import Listener
from cato_backend.gateway.state import Gateway
from cato_backend.gateway.trusted_proxies import TrustedProxies
from cato_backend.logs import LogFormat, set_up
from cato_backend.team.live import TeamSettings
from cato_backend.wire.discovery import (
    Announcement,
    announce,
    election_lock_path,
    start_time,
    withdraw,
)

_STDIN = 0

_MICROSECONDS = 1_000_000


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

    def __init__(self, reload: Callable[[], None]) -> None:
        self.stop = asyncio.Event()
        """The server is to end."""
        self.hurry = asyncio.Event()
        """It was asked to a second time."""
        self._reload = reload
        self._has_terminal = os.isatty(_STDIN)

    def listen(self) -> None:
        """Hear signals from now on."""
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


def _language_server() -> str | None:
    """Return the `cato-lsp` of this very installation."""
    program = Path(sysconfig.get_path("scripts")) / "cato-lsp"
    return str(program) if program.is_file() else None


@asynccontextmanager
async def announced(listener: Listener) -> AsyncGenerator[None]:
    """Inside, the editors of this user find the backend by its discovery file."""
    pid, credentials = os.getpid(), listener.credentials

    def tell() -> None:
        announce(
            Announcement(
                listener.url,
                credentials.own_token,
                pid,
                __version__,
                secret=listener.secret,
                started=start_time(pid),
                language_server=_language_server(),
            )
        )

    tell()
    credentials.on_new_tokens = tell
    try:
        yield
    finally:
        credentials.on_new_tokens = None
        withdraw(pid)


class ServiceManager:
    """Sends to the socket that systemd names in the environment; without one it does nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A name that begins with @ lies in Linux's abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = _watchdog_s(environment)

    def ready(self) -> None:
        """Report that requests are taken."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """Report that files are read again; `ready` must follow."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """Report that the service ends."""
        self._tell("STOPPING=1")

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        # What followed a line's end would be another message to systemd.
        self._tell(f"STATUS={' '.join(text.splitlines())}")

    async def watch(self) -> None:
        """Report at intervals that the event loop runs, until it is cancelled.

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


class Reloading:
    """Reads the configuration again when it is asked to.

    `read` returns it, given the one in force; `team_settings` returns what it says of people.
    `began`: when the process began, as the log counts from it.
    """

    def __init__(
        self,
        read: Callable[[Config], Config],
        team_settings: Callable[[TeamConfig], TeamSettings],
        began: float,
    ) -> None:
        self._read = read
        self._team_settings = team_settings
        self._began = began

    def reload(self, gateway: Gateway) -> str:
        """Put into force what can change; return what has changed, for people."""
        try:
            change = change_of(gateway.config, self._read(gateway.config))
            self._apply(change.config, gateway)
        except ConfigError as error:
            return f"configuration: {error}; the former one stays in force"
        except (OSError, RuntimeError, ValueError) as error:
            # Such as a path that no system call takes, or ~ of a user who is not there.
            return f"configuration: {error or type(error).__name__}; the former one stays in force"
        return f"configuration: {change}"

    def _apply(self, config: Config, gateway: Gateway) -> None:
        """Raise ConfigError, before anything is changed, where the prices cannot be read."""
        prices, scheduling = usage_prices(config.usage), config.scheduling
        set_up(LogFormat(config.log.format), config.log.level, self._began)
        gateway.config = config
        gateway.prices.read_again(prices)
        gateway.targets.configure(config.targets)
        gateway.warm_caps = WarmCaps(scheduling.warm_per_minute / 60, scheduling.warm_burst)
        gateway.proxies = TrustedProxies(config.server.trusted_proxies)
        gateway.runtime.teams.settings = self._team_settings(config.team)
        gateway.runtime.slow.times = config.log.slow_times
