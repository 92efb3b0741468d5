"""The models in the user's cache folder: where they are, which are whole, how to remove one.

A model's folder gets its name when everything in it is done, so a folder of this name is whole.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from cato_backend.errors import EngineError
from cato_backend.model_store.registry import KnownModel
from cato_backend.wire.paths import cache_dir

MARKER = "cato-model.json"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A whole model that an engine can serve."""

    name: str
    title: str
    licence: str
    provenance: str
    sha256: str
    """Of the file that it was converted from."""
    source: str
    """Where that file was downloaded."""
    format: str
    megabytes: int
    digest: str
    """Of the entry of the registry that it was made by."""

    @property
    def path(self) -> Path:
        """Its folder."""
        return stored_path(self.name)


def models_dir() -> Path:
    """The folder that holds all of them."""
    return cache_dir() / "models"


def stored_path(name: str) -> Path:
    """Where the model of this name belongs."""
    return models_dir() / name


def find_stored(model: KnownModel) -> StoredModel | None:
    """The model as it is in the cache; None where it is absent, or was made by another entry."""
    found = _read(stored_path(model.name))
    return found if found is not None and found.digest == model.digest else None


def list_stored() -> list[StoredModel]:
    """All whole models."""
    folders = sorted(models_dir().glob("[!.]*"))
    return [found for path in folders if (found := _read(path)) is not None]


def write_marker(model: StoredModel, folder: Path) -> None:
    """Describes the model in its folder."""
    (folder / MARKER).write_text(json.dumps(asdict(model), indent=1), encoding="utf-8")


def remove_stored(path: Path) -> None:
    """Removes a folder; the rename first, so that what is left of a broken removal is not used."""
    doomed = path.with_name(f".removed-{path.name}")
    if doomed.exists():
        shutil.rmtree(doomed)
    path.rename(doomed)
    shutil.rmtree(doomed)


def leftovers(name: str) -> list[Path]:
    """What broken downloads, conversions and removals of this model have left."""
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
