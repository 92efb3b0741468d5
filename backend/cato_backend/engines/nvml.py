"""The NVIDIA GPUs of this machine and their MIG slices, as NVML reports them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

MOST_OF_A_GPU = 0.92
"""Share of a GPU without other processes that vLLM may take."""
_SPARED = 0.02


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, or a MIG slice of one. Memory in bytes."""

    index: int
    """Index of the GPU; its slices share it."""
    name: str
    total: int
    free: int
    mig: str = ""
    """The UUID of the slice; empty for a whole GPU."""
    busy: float | None = None
    """Share of the last moments in which it computed; None where the driver does not report it."""
    processes: tuple[int, ...] = ()
    """The ids of the processes that compute on it."""
    node: str = ""
    """The machine that has it; empty for this one."""

    @property
    def utilization(self) -> float:
        """The share of its memory to give to an engine, after what others hold now."""
        return round(max(0.0, min(MOST_OF_A_GPU, self.free / self.total - _SPARED)), 2)

    @property
    def usable(self) -> int:
        """That share in bytes."""
        return int(self.total * self.utilization)

    @property
    def device(self) -> str:
        """What CUDA_VISIBLE_DEVICES takes for it."""
        return self.mig or str(self.index)

    @property
    def label(self) -> str:
        """What people and metrics call it."""
        where = f"{self.node}/" if self.node else ""
        return f"{where}{self.index}/{self.mig}" if self.mig else f"{where}{self.index}"


def detect_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs by index; none where there is no driver, no GPU or no permission.

    A GPU that is cut into MIG slices is not in the list itself: CUDA computes on its slices alone.
    """
    # Imported by name: it has no types, and exists for Linux alone.
    nvml: Any = import_module("pynvml")
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return ()
    try:
        return tuple(
            gpu for index in range(nvml.nvmlDeviceGetCount()) for gpu in _read(nvml, index)
        )
    except nvml.NVMLError:
        return ()
    finally:
        nvml.nvmlShutdown()


def _read(nvml: Any, index: int) -> Iterator[Gpu]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    slices = list(_slices(nvml, handle))
    for part in slices or [handle]:
        memory = nvml.nvmlDeviceGetMemoryInfo(part)
        yield Gpu(
            index=index,
            name=str(nvml.nvmlDeviceGetName(part)),
            total=int(memory.total),
            free=int(memory.free),
            mig=str(nvml.nvmlDeviceGetUUID(part)) if slices else "",
            busy=_busy(nvml, part),
            processes=_processes(nvml, part),
        )


def _slices(nvml: Any, handle: Any) -> Iterator[Any]:
    """Yield the handles of the MIG slices of a GPU; none where it is not cut."""
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
        places = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if current else 0
    except nvml.NVMLError:
        return
    for place in range(places):
        try:
            yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
        except nvml.NVMLError:
            continue  # A place without a slice.


def _busy(nvml: Any, handle: Any) -> float | None:
    """Return the share of time in which it computed; a slice does not tell it."""
    try:
        return float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100
    except nvml.NVMLError:
        return None


def _processes(nvml: Any, handle: Any) -> tuple[int, ...]:
    try:
        return tuple(int(each.pid) for each in nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    except nvml.NVMLError:
        return ()
