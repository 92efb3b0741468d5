"""How a task gets on, in a terminal: its state, the time, the estimate, the text as it comes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from cato_lsp.backend.answers import TaskProgress

_FIRST_S, _EVERY_S = 0.5, 0.5
_EVERY_LINE_S = 5.0
"""Where each report takes a line of its own, as in a log."""


class Terminal:
    """Writes pieces of the result to standard output, where `shows_text`, and progress to standard
    error: one line that is written over, or a line every few seconds where that is no terminal."""

    def __init__(self, *, silent: bool, shows_text: bool) -> None:
        self._silent = silent
        self._shows_text = shows_text
        self._is_terminal = sys.stderr.isatty()
        self._begun = time.perf_counter()
        self._progress = TaskProgress("asking")
        self.shown = ""
        """The pieces of the result that were written, without those that are void."""
        self._has_text = False
        self._has_line = False

    @asynccontextmanager
    async def ticking(self) -> AsyncGenerator[None]:
        """Shows progress while the context lasts, from the first half second on."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()
            self._clear()

    def report(self, progress: TaskProgress) -> None:
        """The work goes on."""
        self._progress = progress

    def delta(self, text: str) -> None:
        """A piece of the result."""
        if self._shows_text:
            self._clear()
            self._has_text = True
            self.shown += text
            sys.stdout.write(text)
            sys.stdout.flush()

    def restart(self, text: str) -> None:
        """The pieces so far are void."""
        if self._shows_text:
            self.shown = ""
            sys.stderr.write("\n[the answer cannot be used: once more]\n")
        self.delta(text)

    async def _tick(self) -> None:
        await asyncio.sleep(_FIRST_S)
        while not self._silent:
            # A line in the middle of the text would be taken for a part of it.
            if not self._has_text:
                self._write(f"[{self._progress.text}, {time.perf_counter() - self._begun:.1f} s]")
            await asyncio.sleep(_EVERY_S if self._is_terminal else _EVERY_LINE_S)

    def _write(self, line: str) -> None:
        if self._is_terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
            self._has_line = True
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def _clear(self) -> None:
        if self._has_line:
            sys.stderr.write("\r\x1b[K")
            self._has_line = False
