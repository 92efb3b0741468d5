"""The NVIDIA GPUs of this machine, as NVML tells."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

MOST_OF_A_GPU = 0.92
"""What vLLM may take of a GPU that nobody else uses."""
_SPARED = 0.02


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU. Memory in bytes."""

    index: int
    name: str
    total: int
    free: int

    @property
    def utilization(self) -> float:
        """The share of its memory to give to an engine, after what others hold now."""
        return round(max(0.0, min(MOST_OF_A_GPU, self.free / self.total - _SPARED)), 2)

    @property
    def usable(self) -> int:
        """That share in bytes."""
        return int(self.total * self.utilization)


def detect_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs by index; none where there is no driver, no GPU or no permission."""
    # Imported by name: it has no types, and exists for Linux alone.
    nvml: Any = import_module("pynvml")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()
    try:
        return tuple(_read(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    except nvml.NVMLError:
        return ()
    finally:
        nvml.nvmlShutdown()


def _read(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    name = nvml.nvmlDeviceGetName(handle)
    return Gpu(index=index, name=str(name), total=int(memory.total), free=int(memory.free))
