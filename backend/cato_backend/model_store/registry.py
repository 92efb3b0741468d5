"""The models that can be fetched by name, read from `models.toml`."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class FilePart:
    """A member of a wheel that holds a part of a model's file."""

    package: str
    """The requirement, with its exact version."""
    member: str
    bytes: int


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model, the file that it comes in, and where that file can be had. Sizes in bytes."""

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
    """What the file is converted to: `bf16` or `int8`."""
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
    """All of them; the first one is the default."""
    file = resources.files("cato_backend.model_store").joinpath("models.toml")
    return read_registry(file.read_text(encoding="utf-8"))


def find_known(name: str) -> KnownModel | None:
    """The model of this name, or None. Case does not matter."""
    return next((model for model in known_models() if model.name == name.lower()), None)


def read_registry(text: str) -> tuple[KnownModel, ...]:
    """The models of a registry in TOML."""
    table = tomllib.loads(text)
    return tuple(_model(entry, table["gguf"]) for entry in table["models"])


def _model(entry: dict[str, Any], gguf: str) -> KnownModel:
    values: dict[str, Any] = {"repository": "", "revision": "", **entry, "gguf": gguf}
    values["end_tokens"] = tuple(entry["end_tokens"])
    values["mirror"] = tuple(FilePart(**part) for part in entry.get("mirror", ()))
    return KnownModel(**values)
