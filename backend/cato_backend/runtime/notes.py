"""Passes on what the runtime knows of requests and the scheduler is not told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from cato_backend.clock import Clock
from cato_backend.scheduling.notes import Note

NoteWatcher: TypeAlias = Callable[[Note, float], None]
"""Is told each note, and when."""


class RequestNotes:
    """True where somebody reads the notes; else they need not be made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watchers: list[NoteWatcher] = []

    def __bool__(self) -> bool:
        return bool(self._watchers)

    def watch(self, watcher: NoteWatcher) -> None:
        """Pass each note to the watcher from now on."""
        self._watchers.append(watcher)

    def tell(self, note: Note) -> None:
        """Pass a note on."""
        for watcher in self._watchers:
            watcher(note, self._clock())
