"""Real processes for tests: a family that will not die, and a way to wait for deaths."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FAMILY = """
import os, signal, sys
report, exits_with = sys.argv[1], sys.argv[2]
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pids = [os.getpid()]
down, up = os.pipe()
if os.fork() == 0:
    # An orphan in a session of its own: neither the process group nor the parent leads to it.
    if os.fork() == 0:
        os.setsid()
        os.write(up, b"%d " % os.getpid())
        signal.pause()
    os._exit(0)
if os.fork() == 0:
    os.write(up, b"%d " % os.getpid())
    signal.pause()
said = b""
while said.count(b" ") < 2:
    said += os.read(down, 100)
with open(report, "w") as file:
    file.write(f"{os.getpid()} {said.decode()}")
print("family complete", flush=True)
if exits_with != "never":
    os._exit(int(exits_with))
signal.pause()
"""


def family_command(report: Path, exits_with: str = "never") -> list[str]:
    """A command that starts itself, a child and a daemon, and reports their pids to a FIFO."""
    return [sys.executable, "-c", FAMILY, str(report), exits_with]


@dataclass(frozen=True)
class Deaths:
    """Descriptors of processes, opened while they lived: immune to reuse of their ids."""

    descriptors: tuple[int, ...]

    @classmethod
    def of(cls, pids: Sequence[int]) -> Deaths:
        """Watches processes that are alive now, or already zombies."""
        return cls(tuple(os.pidfd_open(pid) for pid in pids))

    def all_within(self, seconds: float) -> bool:
        """Whether every one of them ends within so many seconds."""
        return all(select.select([fd], [], [], seconds)[0] for fd in self.descriptors)


def read_family(report: Path) -> list[int]:
    """Waits for the pids of the family."""
    return [int(pid) for pid in report.read_text().split()]


def warden_command(log: Path, command: Sequence[str | Path], grace_s: float = 0.2) -> list[str]:
    """The command of a warden."""
    options = ["--log", str(log), "--grace-s", str(grace_s), "--", *map(str, command)]
    return [sys.executable, "-m", "cato_backend.replicas.warden", *options]


def start_warden(
    log: Path, command: Sequence[str | Path], grace_s: float = 0.2
) -> subprocess.Popen[bytes]:
    """A warden whose pipe this process holds."""
    return subprocess.Popen(
        warden_command(log, command, grace_s), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
