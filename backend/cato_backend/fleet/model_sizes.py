"""How many parameters the models have that this backend serves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cato_backend.config import EMBEDDED, Config
from cato_backend.embedded_model import WEIGHTS
from cato_backend.errors import ConfigError
from cato_backend.profile_files.shape import read_shape
from cato_backend.wire.model_names import parameters_named


class ModelSizes:
    """Parameters by the name of a model: counted from the files of a local one, else as its name
    says."""

    def __init__(self, counted: Mapping[str, int]) -> None:
        self._counted = counted

    @classmethod
    def of(cls, config: Config) -> ModelSizes:
        """Reads the `config.json` of each local model; what cannot be read is left out."""
        found = {model.name: _counted(model.path) for model in config.models}
        return cls({name: count for name, count in found.items() if count is not None})

    def of_model(self, name: str) -> int | None:
        """The number of parameters; None where nothing tells."""
        return self._counted.get(name) or parameters_named(name)


def _counted(path: str) -> int | None:
    folder = WEIGHTS if path == EMBEDDED else Path(path).expanduser()
    if not folder.is_dir():
        return parameters_named(path)
    try:
        return read_shape(folder).parameters
    except ConfigError:
        # Some architectures have parts that are not counted; their names may still tell.
        return parameters_named(path)
