"""What came to be on disk."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from tests.e2e.vscode.editor import Editor


def solid(text: str) -> str:
    """Without white space: ghost text is drawn line by line, and so loses its line ends."""
    return re.sub(r"\s", "", text)


def saved(file: Path) -> str:
    """The text on disk."""
    return file.read_text(encoding="utf-8")


async def save(editor: Editor, file: Path, *, expected: str) -> None:
    """Saves, and waits until what is on disk begins with `expected`. Raises TimeoutError."""
    await editor.press("Control+s")
    await wait_until(lambda: saved(file).startswith(expected))


async def wait_until(look: Callable[[], bool]) -> None:
    """Asks again and again, for what another process does brings no event. Raises TimeoutError."""
    for _ in range(600):
        if look():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError
