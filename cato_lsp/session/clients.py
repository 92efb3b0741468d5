"""The client's process: a server whose client is gone has nobody left to serve."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

LOOK_EVERY_S = 2.0


def is_alive(process_id: int) -> bool:
    """Whether there is such a process. False where that cannot be told: a client that runs on
    another host, or in another container, names a process that is not here."""
    if sys.platform == "win32" or process_id <= 0:
        # `os.kill` would end it there; the end of standard input says the same.
        return False
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return not _is_zombie(process_id)


async def watch(process_id: int, gone: asyncio.Event) -> None:
    """Sets `gone` once the process has ended."""
    while is_alive(process_id):  # noqa: ASYNC110 - nothing tells when another's child ends
        await asyncio.sleep(LOOK_EVERY_S)
    gone.set()


def _is_zombie(process_id: int) -> bool:
    """Whether it has ended, and its parent has not looked yet; only Linux tells."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text(errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[:1] == ["Z"]
