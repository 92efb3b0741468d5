"""A file of planned GPUs, as the inventory of a fleet of emulated replicas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cato_backend.config import read_toml
from cato_backend.engines.nvml import Gpu
from cato_backend.errors import ConfigError
from cato_backend.profile_files.hardware import gpu_kinds

_GB = 1e9


class _Row(BaseModel):
    """[[gpus]]: a number of GPUs of one kind in one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    gpu: str = Field(min_length=1, max_length=200)
    count: int = Field(default=1, ge=1, le=1024)
    memory_gb: float | None = Field(default=None, gt=0)
    node: str = Field(default="", max_length=200)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    gpus: tuple[_Row, ...] = Field(default=(), strict=False)


def read_gpus(path: Path) -> tuple[Gpu, ...]:
    """Return the GPUs that a file lists. Raises ConfigError naming the field that is wrong."""
    rows = _parsed(path).gpus
    if not rows:
        raise ConfigError(
            f"{path}: no GPU is listed; expected [[gpus]] with gpu, and with memory_gb unless"
            f" gpu is one of {_known()}"
        )
    numbers: dict[str, int] = {}
    return tuple(gpu for place, row in enumerate(rows) for gpu in _gpus(path, place, row, numbers))


def _gpus(path: Path, place: int, row: _Row, numbers: dict[str, int]) -> Iterator[Gpu]:
    memory = int(_memory_gb(path, place, row) * _GB)
    for _ in range(row.count):
        index = numbers.get(row.node, 0)
        numbers[row.node] = index + 1
        yield Gpu(index, row.gpu, memory, memory, node=row.node)


def _memory_gb(path: Path, place: int, row: _Row) -> float:
    if row.memory_gb is not None:
        return row.memory_gb
    for kind in gpu_kinds():
        if kind.name == row.gpu:
            return kind.gb
    raise ConfigError(
        f"{path}: gpus.{place}.memory_gb: missing; the memory of {row.gpu!r} is not known here;"
        f" known are {_known()}"
    )


def _known() -> str:
    return ", ".join(kind.name for kind in gpu_kinds())


def _parsed(path: Path) -> _File:
    try:
        return _File.model_validate(read_toml(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path}: {field}: {first['msg']}") from error
