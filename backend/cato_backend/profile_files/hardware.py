"""The names of hardware and models for profiles, and data-sheet figures of GPUs."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cato_backend.errors import ConfigError

_JOINED = re.compile(r"^\d+x-")
_TUNED = re.compile(r"-(instruct|base|it|chat)$")
_TABLE = Path(__file__).parent / "gpus.json"
_ARCHITECTURES = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm", "arm64": "arm"}


def model_key(name: str) -> str:
    """Return the last part of the name in lower case, without `-Instruct` and its kin.

    Fine-tuning leaves a model's speed as it was. A quantised one keeps its suffix, because it does
    not.
    """
    last = name.rstrip("/").rsplit("/", 1)[-1].lower()
    return _TUNED.sub("", last)


def file_name(model: str) -> str:
    """Return the name of the model's profile in the folder of a hardware."""
    return f"{model.rstrip('/').rsplit('/', 1)[-1]}.json"


@dataclass(frozen=True, slots=True)
class GpuKind:
    """One row of `gpus.json`: data-sheet figures."""

    name: str
    nvml: str
    """A pattern of the product names that NVML gives it."""
    tflops: float
    """Dense 16-bit tensor operations, 10^12 per second."""
    gb_per_s: float
    """Memory bandwidth, 10^9 bytes per second."""
    gb: float
    """Memory, 10^9 bytes."""


@cache
def gpu_kinds() -> tuple[GpuKind, ...]:
    """Return every GPU of the table."""
    rows = json.loads(_TABLE.read_bytes())["gpus"]
    return tuple(GpuKind(**row) for row in rows)


def gpu_kind(hardware: str) -> GpuKind:
    """Return the GPU of this name. Raises ConfigError naming those there are."""
    for kind in gpu_kinds():
        if kind.name == hardware:
            return kind
    raise ConfigError.of("hardware", hardware, f"one of {', '.join(k.name for k in gpu_kinds())}")


def gpu_hardware(product: str) -> str:
    """Return the name of the profiles for a GPU that NVML calls `product`.

    The table names whole cards. Any other product (a PCIe or laptop variant, a MIG slice) gets a
    name of its own, because it is not as fast as its namesake.
    """
    for kind in gpu_kinds():
        if re.search(kind.nvml, product):
            return kind.name
    return re.sub(r"[^a-z0-9]+", "-", product.lower().removeprefix("nvidia ")).strip("-")


def joined_hardware(hardware: str, gpus: int) -> str:
    """Return the name of `gpus` GPUs of this kind that one replica is spread over."""
    return hardware if gpus == 1 else f"{gpus}x-{hardware}"


def gpu_of(hardware: str) -> str:
    """Return the GPU of a name that `joined_hardware` gave; any other name as it is."""
    return _JOINED.sub("", hardware)


def cpu_hardware(cores: int) -> str:
    """Return the name of a machine with this number of cores that computes without a GPU."""
    machine = platform.machine().lower()
    return f"cpu-{_ARCHITECTURES.get(machine, machine)}-{cores}core"
