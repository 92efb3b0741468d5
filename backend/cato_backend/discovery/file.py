"""A file of replicas, one per line. It is read again whenever it has changed."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from cato_backend.config import DiscoveryConfig, ReplicaConfig
from cato_backend.discovery.source import Listing, first_reason
from cato_backend.errors import SourceUnavailable

LOOK_S = 1.0
_MOST_BYTES = 4 * 1024 * 1024


class FileSource:
    """Implements `Source`. A line is a URL, or a JSON object with the fields of `[[replicas]]`.

    A dash before it, as in YAML, and quotes around a URL do no harm.
    """

    def __init__(self, path: Path, config: DiscoveryConfig) -> None:
        self._path = path
        self._config = config

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    async def follow(self) -> AsyncGenerator[Listing]:
        """Yield the list, and again after each change. Raises SourceUnavailable."""
        seen: tuple[int, ...] = ()
        while True:
            now, text = await asyncio.to_thread(self._read, seen)
            if text is not None:
                seen = now
                yield read_listing(text, self._config)
            await asyncio.sleep(LOOK_S)

    def _read(self, seen: tuple[int, ...]) -> tuple[tuple[int, ...], str | None]:
        """Return the file's state, and its text where that is not the one that was seen."""
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                state = (found.st_ino, found.st_mtime_ns, found.st_size)
                if state == seen:
                    return state, None
                return state, file.read(_MOST_BYTES).decode("utf-8-sig")
        except OSError as error:
            raise SourceUnavailable(f"{error.strerror}", "write the file") from error
        except UnicodeDecodeError as error:
            raise SourceUnavailable("it is not UTF-8", "write it as text") from error


def read_listing(text: str, config: DiscoveryConfig) -> Listing:
    """Return what the lines list; the first bad one is named, by its number."""
    found: dict[str, ReplicaConfig] = {}
    complaint = ""
    for number, line in _entries(text):
        try:
            replica = _replica(line, config)
        except (ValueError, RecursionError) as error:
            complaint = complaint or f"line {number}: {_reason(error)}"
        else:
            found.setdefault(replica.url, replica)
    return Listing(tuple(found.values()), complaint)


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither empty nor comments, with their numbers."""
    for number, line in enumerate(text.splitlines(), start=1):
        entry = line.strip()
        entry = entry[2:].strip() if entry.startswith("- ") else entry
        if entry and not entry.startswith(("#", "---")):
            yield number, entry


def _replica(entry: str, config: DiscoveryConfig) -> ReplicaConfig:
    """Raise ValueError."""
    if not entry.startswith("{"):
        return config.replica(url=entry.strip("'\""))
    told = cast("dict[str, Any]", json.loads(entry))
    return config.replica(**told)


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, ValidationError):
        return first_reason(error)
    return f"expected a URL or a JSON object ({error})"
