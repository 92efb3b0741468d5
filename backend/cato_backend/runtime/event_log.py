"""The scheduler's events and decisions in a file, for a person or for `cato replay`."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from cato_backend.clock import Clock, monotonic
from cato_backend.errors import ConfigError
from cato_backend.rotating_file import RotatingFile
from cato_backend.scheduling import Decision, Event, Limits, Progressed
from cato_backend.scheduling.journal import (
    Note,
    Opening,
    Pseudonyms,
    encode,
    encode_note,
    encode_opening,
)

log = logging.getLogger(__name__)


class EventLog:
    """JSON lines (see `scheduling.journal`): at the limit the file is renamed to `.1`.

    A file of an earlier run becomes `.1` too. A disk that is full ends the log, not the service.
    """

    def __init__(self, path: Path, limit: int, policy: str, limits: Limits) -> None:
        """Raise ConfigError where the file cannot be written."""
        self._path = path
        self._opening = Opening(
            run=secrets.token_hex(8),
            policy=policy,
            limits=limits,
            epoch=time.time() - monotonic(),
        )
        self._pseudonyms = Pseudonyms(secrets.token_bytes(32))
        self._file: RotatingFile | None = None
        try:
            self._file = RotatingFile(path, limit, buffered=True)
            self._file.write(encode_opening(self._opening))
        except OSError as error:
            raise ConfigError(f"server.event_log: {path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def note(self, event: Event, decisions: Sequence[Decision], now: float) -> None:
        """Append one event. A `Watcher` of the runtime."""
        if self._file is None:
            return
        line = encode(self._pseudonyms.of(event), decisions, now)
        # Most events are tokens; the next one follows.
        self._append(line, flushes=not isinstance(event, Progressed))

    def add(self, note: Note, now: float) -> None:
        """Append a note. A `NoteWatcher` of the runtime."""
        self._append(encode_note(note, now), flushes=True)

    def _append(self, line: bytes, *, flushes: bool) -> None:
        if self._file is None:
            return
        try:
            if not self._file.has_room(len(line)):
                self._begin_part(self._file)
            self._file.write(line)
            if flushes:
                self._file.flush()
        except OSError as error:
            self._file = None
            log.warning("the event log %s has ended: %s", self._path, error)

    def _begin_part(self, file: RotatingFile) -> None:
        file.rotate()
        self._opening = replace(self._opening, part=self._opening.part + 1)
        file.write(encode_opening(self._opening))


NoteWatcher: TypeAlias = Callable[[Note, float], None]
"""Receives each note, and when."""


class RequestNotes:
    """Passes notes on requests to the event log. True as a Boolean where there is a log."""

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
