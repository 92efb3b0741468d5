"""NVML as far as it is asked, with GPUs that a test describes; installed as the module `pynvml`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

GB = 1_000_000_000


class NVMLError(Exception):
    """What NVML raises for all that it cannot do."""


@dataclass(frozen=True)
class FakeGpu:
    """A GPU, or a slice of one."""

    name: str
    total: int = 80 * GB
    free: int = 80 * GB
    uuid: str = ""
    busy: int | None = None
    processes: tuple[int, ...] = ()
    slices: tuple[FakeGpu | None, ...] = ()
    """The places for MIG slices; None is an empty one."""


class FakeNvml:
    """The functions of `pynvml`, under their names."""

    NVMLError = NVMLError

    def __init__(self, *gpus: FakeGpu, driver: bool = True) -> None:
        self._gpus = gpus
        self._driver = driver

    def nvmlInit(self) -> None:
        if not self._driver:
            raise NVMLError("Driver Not Loaded")

    def nvmlShutdown(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return len(self._gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        return self._gpus[index]

    def nvmlDeviceGetMemoryInfo(self, gpu: FakeGpu) -> SimpleNamespace:
        return SimpleNamespace(total=gpu.total, free=gpu.free)

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> str:
        return gpu.name

    def nvmlDeviceGetUUID(self, gpu: FakeGpu) -> str:
        return gpu.uuid

    def nvmlDeviceGetUtilizationRates(self, gpu: FakeGpu) -> SimpleNamespace:
        if gpu.busy is None:
            raise NVMLError("Not Supported")
        return SimpleNamespace(gpu=gpu.busy, memory=0)

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: FakeGpu) -> Sequence[SimpleNamespace]:
        return [SimpleNamespace(pid=pid, usedGpuMemory=None) for pid in gpu.processes]

    def nvmlDeviceGetMigMode(self, gpu: FakeGpu) -> tuple[int, int]:
        if not gpu.slices:
            raise NVMLError("Not Supported")
        return 1, 1

    def nvmlDeviceGetMaxMigDeviceCount(self, gpu: FakeGpu) -> int:
        return len(gpu.slices)

    def nvmlDeviceGetMigDeviceHandleByIndex(self, gpu: FakeGpu, place: int) -> FakeGpu:
        found = gpu.slices[place]
        if found is None:
            raise NVMLError("Not Found")
        return found
