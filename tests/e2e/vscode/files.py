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


async def save(editor: Editor, file: Path, *, expected: str) -> None:
    """Saves until `expected` is on disk, white space apart. Raises AssertionError."""
    if not await saved(editor, lambda: solid(_read(file)) == solid(expected)):
        assert _read(file) == expected


async def saved(editor: Editor, as_expected: Callable[[], bool]) -> bool:
    """Saves until all is as expected, or for too long.

    Again and again, because the editor takes keys before it has done what the last ones asked for.
    """
    for _ in range(60):
        await editor.press("Control+s")
        await asyncio.sleep(0.25)
        if as_expected():
            return True
    return False


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


async def wait_until(look: Callable[[], bool]) -> None:
    """Asks again and again, for what another process does brings no event. Raises TimeoutError."""
    for _ in range(600):
        if look():
            return
        await asyncio.sleep(0.05)
    raise TimeoutError
