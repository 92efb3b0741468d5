"""Files for one user alone, such as those that hold secrets."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_FOR_EVERYBODY = stat.S_IROTH | stat.S_IWOTH


def complaint(path: Path) -> str:
    """Return what is wrong with a file that every user can read or change; else nothing.

    What is no regular file is refused: to read a pipe would wait for its writer. Raises OSError.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        return f"{path} is no regular file"
    if not mode & _FOR_EVERYBODY:
        return ""
    return f"{path} is open to every user of this machine; run: chmod 600 {path}"


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, in one step: no reader sees half of it.

    The folder is made where there is none. Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
