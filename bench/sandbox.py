"""Running code that a model wrote: no network, and limits of time, processor, memory and files.

Where this system lets a user make namespaces, the code also sees no other processes, leaves none
behind, and writes to its own folder alone: the root file system is read-only, but not what is
mounted below it. It reads what the user reads. Elsewhere only the limits hold.
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_FILE_BYTES = 64 << 20
_MEMORY_BYTES = 4 << 30
"""Of each process; compilers need hundreds of MB."""
_OUTPUT_BYTES = 1 << 20
"""So much of the end of what it prints is kept."""
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork")
_READ_ONLY = 'mount --bind . . && mount -o remount,bind,ro / && cd "$PWD" && { "$@"; exit $?; }'
"""The shell stays: the first process of a namespace hears no signals of its own, such as abort."""
_APART = (*_NAMESPACES, "--kill-child", "--mount-proc", "sh", "-c", _READ_ONLY, "sh")
_STOPPED = (signal.SIGXCPU, signal.SIGXFSZ, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a command may take."""

    cpu_s: int = 20
    """Of processor time; compilers need some seconds of it."""
    wall_s: float = 600.0
    """For code that waits, on a machine that others use as well."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended. `status` is None where it was stopped at a limit."""

    status: int | None
    output: str


def run(command: Sequence[str], folder: Path, limits: Limits = Limits()) -> Ran:
    """Run the command in the folder, which is also its home, and return how it ended."""
    with tempfile.TemporaryFile() as output:
        status = _status(_begun(command, folder, limits, output), limits.wall_s)
        return Ran(status, _end_of(output))


def is_apart() -> bool:
    """Return whether code runs in namespaces of its own here."""
    return bool(_apart())


def _begun(
    command: Sequence[str], folder: Path, limits: Limits, output: IO[bytes]
) -> subprocess.Popen[bytes]:
    own = {"HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"}
    return subprocess.Popen(
        [*_apart(), *command],
        cwd=folder,
        env={**_kept(), **own},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        preexec_fn=functools.partial(_limit, limits.cpu_s),
        start_new_session=True,
    )


def _status(process: subprocess.Popen[bytes], wall_s: float) -> int | None:
    """Wait for its end, and return its status; None where it was stopped at a limit."""
    try:
        status = process.wait(wall_s)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # Also what it has left running.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return None if any(status in (-limit, 128 + limit) for limit in _STOPPED) else status


def _end_of(output: IO[bytes]) -> str:
    """Return the end of what was printed: a pipe would be read into memory without bound."""
    output.seek(max(0, output.seek(0, os.SEEK_END) - _OUTPUT_BYTES))
    return output.read().decode(errors="replace")


def _kept() -> dict[str, str]:
    """Return where the compilers are; rustc is found through its manager's folders."""
    home = Path.home()
    rust = {"RUSTUP_HOME": str(home / ".rustup"), "CARGO_HOME": str(home / ".cargo")}
    return {**rust, **{name: os.environ[name] for name in ("PATH", *rust) if name in os.environ}}


def _limit(cpu_s: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@functools.cache
def _apart() -> tuple[str, ...]:
    """Return what a command is put behind, where this system lets a user do so."""
    if shutil.which(_APART[0]) is None:
        return ()
    with tempfile.TemporaryDirectory(prefix="cato-sandbox-") as folder:
        tried = subprocess.run([*_APART, "true"], cwd=folder, capture_output=True, check=False)
    return _APART if tried.returncode == 0 else ()
