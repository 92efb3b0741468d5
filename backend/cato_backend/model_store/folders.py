"""Where the weights of a configured model are on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cato_backend.config import EMBEDDED
from cato_backend.embedded_model import verified_folder
from cato_backend.engines.gpus import check_model
from cato_backend.errors import EngineError
from cato_backend.model_store.registry import KnownModel, find_known, find_stored


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
