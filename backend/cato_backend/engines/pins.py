"""The pinned contents of an engine's environment, read from `pins.toml`."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import resources
from typing import Any


class EngineKind(StrEnum):
    """Which build of vLLM."""

    CPU = "cpu"
    GPU = "gpu"


@dataclass(frozen=True, slots=True)
class InstallStep:
    """One call of pip."""

    name: str
    requirements: tuple[str, ...]
    dependencies: bool
    extra_index: str | None


@dataclass(frozen=True, slots=True)
class Pins:
    """What an environment is made of."""

    kind: EngineKind
    version: str
    pip: str
    steps: tuple[InstallStep, ...]
    imports: tuple[str, ...]
    """Modules whose import proves that the environment works."""

    @property
    def digest(self) -> str:
        """Changes when anything of the above does."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def pins_of(kind: EngineKind) -> Pins:
    """The pins of `kind`, as shipped with this package."""
    text = resources.files("cato_backend.engines").joinpath("pins.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    chosen = table[kind.value]
    return Pins(
        kind=kind,
        version=chosen["version"],
        pip=table["pip"],
        steps=tuple(_step(step) for step in chosen["steps"]),
        imports=tuple(chosen["import"]),
    )


def _step(table: dict[str, Any]) -> InstallStep:
    return InstallStep(
        name=table["name"],
        requirements=tuple(table["requirements"]),
        dependencies=table["dependencies"],
        extra_index=table.get("extra_index"),
    )
