"""Downloads a model's file from a model hub, from where an earlier download broke off."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from cato_backend.errors import EngineError
from cato_backend.model_store.registry import KnownModel

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
