"""The parent of one engine: `python -m cato_backend.replicas.warden --log FILE -- COMMAND...`.

It outlives the backend by moments, so that an engine never outlives it by more. Its standard input
is a pipe whose other end the backend holds: when that closes, by intent or by SIGKILL, the engine
and everything it started is ended. It adopts orphans of the engine (child subreaper), so nothing
escapes by forking twice. What the engine prints goes into the log, bounded; the exit status is the
engine's, 128 + n for signal n. Its standard output carries two lines: the engine's process id (also
that of its session, so that it can be ended after a warden's own death), and, at the moment the
engine is dead, its exit status, which may be seconds before all that it left behind is gone.

Nothing beyond the standard library: it has to start in milliseconds and stay small.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cato_backend.rotating_file import RotatingFile

LOG_LIMIT_BYTES = 8 * 1024 * 1024
GRACE_S = 3.0
"""Between SIGTERM and SIGKILL."""
SWEEP_S = 5.0
"""For SIGKILL to take effect; with the grace it stays below ten seconds."""
REAP_S = 1.0
"""Longest time that an adopted orphan stays a zombie."""
POLL_S = 0.05

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def descendants(of: int | None = None) -> list[int]:
    """Return every live descendant of this process, or of another; zombies are left out."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (parent := _parent_of(int(entry))) is not None:
            children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    frontier = [os.getpid() if of is None else of]
    while frontier:
        below = children.get(frontier.pop(), [])
        found += below
        frontier += below
    return found


def _parent_of(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold anything, parentheses included.
            state, parent, *_ = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in (b"Z", b"X") else int(parent)


def kill(pid: int) -> None:
    """SIGKILL, to a process that may be gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command until it ends or the pipe closes. Returns its exit status."""
    parser = argparse.ArgumentParser(prog="warden")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--grace-s", type=float, default=GRACE_S)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args(argv)
    with RotatingFile(arguments.log, LOG_LIMIT_BYTES) as log:
        return Warden(arguments.command, log, arguments.grace_s).run()


class Warden:
    """One engine and its end."""

    def __init__(self, command: Sequence[str], log: RotatingFile, grace_s: float) -> None:
        self._log = log
        self._grace_s = grace_s
        self._told_to_stop = False
        self._status: int | None = None
        self._selector = selectors.DefaultSelector()
        # A second safeguard: another process may have inherited the pipe and keep it open.
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._engine = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        assert self._engine.stdout is not None
        self._output = self._engine.stdout.fileno()

    def run(self) -> int:
        """Return the engine's exit status once nothing of it is left."""
        _say(self._engine.pid)
        ended = os.pidfd_open(self._engine.pid)
        for descriptor in (self._output, sys.stdin.fileno(), ended):
            self._selector.register(descriptor, selectors.EVENT_READ)
        while self._status is None and not self._told_to_stop:
            self._pump()
            self._reap()
        if self._status is not None:
            _say(_shell_status(self._status))
        self._end()
        return _shell_status(-signal.SIGKILL if self._status is None else self._status)

    def _on_signal(self, *_: object) -> None:
        self._told_to_stop = True

    def _pump(self) -> None:
        for key, _ in self._selector.select(timeout=REAP_S):
            if key.fd == sys.stdin.fileno():
                # Nothing is ever sent: readable means closed.
                self._told_to_stop = True
            elif key.fd == self._output and not self._copy():
                self._selector.unregister(self._output)

    def _copy(self) -> bool:
        data = os.read(self._output, 65536)
        self._log.write(data)
        return bool(data)

    def _end(self) -> None:
        """SIGTERM, a grace, then SIGKILL to whatever is left, for as long as something is."""
        self._signal_session(signal.SIGTERM)
        began = time.monotonic()
        while (left := self._left()) and time.monotonic() < began + self._grace_s + SWEEP_S:
            if time.monotonic() >= began + self._grace_s:
                for pid in left:
                    kill(pid)
            time.sleep(POLL_S)

    def _left(self) -> list[int]:
        self._drain()
        left = descendants()
        # In this order: one that dies in between is a zombie, no longer listed but still to reap.
        self._reap()
        return left

    def _signal_session(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._engine.pid, number)
        except ProcessLookupError:
            return

    def _drain(self) -> None:
        os.set_blocking(self._output, False)
        try:
            while self._copy():
                continue
        except BlockingIOError:
            return

    def _reap(self) -> None:
        """Collect the engine's status and those of the orphans that were adopted."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._engine.pid:
                self._status = self._engine.returncode = os.waitstatus_to_exitcode(status)


def _say(number: int) -> None:
    try:
        os.write(sys.stdout.fileno(), f"{number}\n".encode())
    except BrokenPipeError:
        # The backend, which would read the number, has ended.
        return


def _shell_status(status: int) -> int:
    return status if status >= 0 else 128 - status


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    sys.exit(main())
