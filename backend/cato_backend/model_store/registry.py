"""The models that can be fetched by name (`models.toml`), and those in the user's cache folder.

A model's folder gets its name when everything in it is done, so a folder of this name is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from cato_backend.config import EMBEDDED
from cato_backend.embedded_model import verified_folder
from cato_backend.engines.gpus import check_model
from cato_backend.errors import EngineError
from cato_backend.wire.state_files import cache_dir

MARKER = "cato-model.json"


@dataclass(frozen=True, slots=True)
class FilePart:
    """A member of a wheel that holds a part of a model's file."""

    package: str
    """The requirement, with its exact version."""
    member: str
    bytes: int


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model, its file, and where the file is available. Sizes in bytes."""

    name: str
    title: str
    licence: str
    provenance: str
    file: str
    bytes: int
    sha256: str
    end_tokens: tuple[str, ...]
    """Tokens that end an answer."""
    format: str
    """Data type after the conversion: `bf16` or `int8`."""
    converted_bytes: int
    memory_bytes: int
    """What an engine with this model takes on a CPU."""
    repository: str
    """On a model hub; empty where no hub has it."""
    revision: str
    mirror: tuple[FilePart, ...]
    """Its parts on a package index, in order."""
    gguf: str
    """The requirement of the conversion."""

    @property
    def digest(self) -> str:
        """Changes when anything does that decides what is served."""
        decisive = (self.sha256, self.end_tokens, self.format, self.gguf)
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:16]


@cache
def known_models() -> tuple[KnownModel, ...]:
    """Return all of them; the first one is the default."""
    file = resources.files("cato_backend.model_store").joinpath("models.toml")
    return read_registry(file.read_text(encoding="utf-8"))


def find_known(name: str) -> KnownModel | None:
    """Return the model of this name, or None. Case does not matter."""
    return next((model for model in known_models() if model.name == name.lower()), None)


def read_registry(text: str) -> tuple[KnownModel, ...]:
    """Return the models of a registry in TOML."""
    table = tomllib.loads(text)
    return tuple(_model(entry, table["gguf"]) for entry in table["models"])


def _model(entry: dict[str, Any], gguf: str) -> KnownModel:
    values: dict[str, Any] = {"repository": "", "revision": "", **entry, "gguf": gguf}
    values["end_tokens"] = tuple(entry["end_tokens"])
    values["mirror"] = tuple(FilePart(**part) for part in entry.get("mirror", ()))
    return KnownModel(**values)


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A complete model that an engine can serve."""

    name: str
    title: str
    licence: str
    provenance: str
    sha256: str
    """SHA-256 of the file that it was converted from."""
    source: str
    """Where that file was downloaded."""
    format: str
    megabytes: int
    digest: str
    """Digest of the registry's entry that it was made by."""

    @property
    def path(self) -> Path:
        """Its folder."""
        return stored_path(self.name)


def models_dir() -> Path:
    """Return the folder that holds all of them."""
    return cache_dir() / "models"


def stored_path(name: str) -> Path:
    """Return where the model of this name belongs."""
    return models_dir() / name


def find_stored(model: KnownModel) -> StoredModel | None:
    """Return the model as it is in the cache.

    None where it is absent, or was made by another entry.
    """
    found = _read(stored_path(model.name))
    return found if found is not None and found.digest == model.digest else None


def list_stored() -> list[StoredModel]:
    """Return all whole models."""
    folders = sorted(models_dir().glob("[!.]*"))
    return [found for path in folders if (found := _read(path)) is not None]


def write_marker(model: StoredModel, folder: Path) -> None:
    """Describe the model in its folder."""
    (folder / MARKER).write_text(json.dumps(asdict(model), indent=1), encoding="utf-8")


def remove_stored(path: Path) -> None:
    """Remove a folder; the rename first, so that what is left of a broken removal is not used."""
    doomed = path.with_name(f".removed-{path.name}")
    if doomed.exists():
        shutil.rmtree(doomed)
    path.rename(doomed)
    shutil.rmtree(doomed)


def leftovers(name: str) -> list[Path]:
    """Return what broken downloads, conversions and removals of this model have left."""
    # Behind the name of a work folder there is a digest: another model's name may begin alike.
    pattern = re.compile(rf"\.removed-{re.escape(name)}|\.partial-{re.escape(name)}-[0-9a-f]+")
    return sorted(path for path in models_dir().glob(".*") if pattern.fullmatch(path.name))


def _read(path: Path) -> StoredModel | None:
    try:
        return StoredModel(**json.loads((path / MARKER).read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(
            f"{path / MARKER}: {error}; remove {path} and run `cato model fetch {path.name}`"
        ) from error


def model_path(path: str, engine_args: Sequence[str]) -> str:
    """Return the folder of a `path` of `[[models]]`, or the hub name that it is.

    Raises EngineError where the model is not here, or does not fit.
    """
    if path == EMBEDDED:
        return str(verified_folder())
    known = find_known(path)
    if known is not None:
        return str(_stored_folder(known))
    check_model(path, engine_args)
    folder = Path(path).expanduser()
    return str(folder) if folder.is_dir() else path


def _stored_folder(known: KnownModel) -> Path:
    stored = find_stored(known)
    if stored is None:
        raise EngineError(f"model {known.name} is not here: run `cato model fetch {known.name}`")
    return stored.path
