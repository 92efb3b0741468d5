"""What became of suggestions, as JSON lines on this machine; never a character of them."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from cato_backend.wire.paths import state_dir

log = logging.getLogger(__name__)

LARGEST = 4 * 1024 * 1024
"""In bytes; then the file becomes the older one, in place of the one before."""


def history_path() -> Path:
    """Where the newest events are."""
    return state_dir() / "history.jsonl"


def older_path() -> Path:
    """Where those before them are."""
    return history_path().with_suffix(".1.jsonl")


def append(event: Mapping[str, object]) -> None:
    """Writes one event; a disk that is full costs the event and nothing else."""
    path = history_path()
    line = json.dumps(event, separators=(",", ":")) + "\n"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LARGEST:
            path.replace(older_path())
        # One write of one line: those of several processes do not get into each other.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("an event could not be stored: %s", error.strerror)


def events() -> Iterator[dict[str, Any]]:
    """All events that are stored, oldest first; a line that is none is left out."""
    for path in (older_path(), history_path()):
        if not path.exists():
            continue
        with path.open(encoding="utf-8", errors="replace") as lines:
            yield from (event for line in lines if (event := _event(line)) is not None)


def _event(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
