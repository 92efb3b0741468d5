"""The GPUs and the Ray resources for replicas, read at intervals, for `/metrics` and the page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry, Gauge

from cato_backend.config import Config
from cato_backend.engines.nvml import Gpu
from cato_backend.fleet.places import inventory_of
from cato_backend.replicas.warden import descendants

ReadGpus = Callable[[], tuple[Gpu, ...]]
_RAY_RESOURCES = ("CPU", "GPU", "memory", "object_store_memory")


@dataclass(frozen=True, slots=True)
class GpuReport:
    """One GPU as it was last found."""

    gpu: Gpu
    others: int
    """Processes that compute on it and were not started here."""


class Inventory:
    """GPUs and the resources of a Ray cluster, each as last reported."""

    def __init__(self, read: ReadGpus, registry: CollectorRegistry) -> None:
        """`read` may block, and is called in a thread."""
        self._read = read
        self._gauges = _Gauges(registry)
        self._reports: tuple[GpuReport, ...] = ()
        self._ray: Mapping[str, Mapping[str, float]] = {}

    def gpus(self) -> tuple[GpuReport, ...]:
        """Return the GPUs of the last look."""
        return self._reports

    def ray(self) -> Mapping[str, Mapping[str, float]]:
        """Return what the Ray cluster has of each resource: `total` and `free`."""
        return self._ray

    def on_ray(self, total: Mapping[str, float], free: Mapping[str, float]) -> None:
        """Take what the Ray cluster reports of itself."""
        known = [name for name in total if name in _RAY_RESOURCES or name.startswith("accel")]
        self._ray = {name: {"total": total[name], "free": free.get(name, 0.0)} for name in known}
        self._gauges.show_ray(self._ray)

    async def run(self, interval_s: float) -> None:
        """Look every `interval_s` seconds, until cancelled; once where there is no GPU."""
        if not await self.look():
            return
        while True:
            await asyncio.sleep(interval_s)
            await self.look()

    async def look(self) -> bool:
        """Look once; return whether there is any GPU."""
        self._reports = await asyncio.to_thread(self._found)
        self._gauges.show(self._reports)
        return bool(self._reports)

    def _found(self) -> tuple[GpuReport, ...]:
        gpus = self._read()
        own = set(descendants()) if any(gpu.processes for gpu in gpus) else set[int]()
        return tuple(GpuReport(gpu, len(set(gpu.processes) - own)) for gpu in gpus)


class _Gauges:
    def __init__(self, registry: CollectorRegistry) -> None:
        gpu = ["gpu", "name"]
        self._memory = Gauge(
            "cato_gpu_memory_bytes",
            "Memory of a GPU or a MIG slice, total and free",
            [*gpu, "state"],
            registry=registry,
        )
        self._busy = Gauge(
            "cato_gpu_busy_ratio", "Share of time in which a GPU computes", gpu, registry=registry
        )
        self._others = Gauge(
            "cato_gpu_processes_of_others",
            "Processes on a GPU that were not started here",
            gpu,
            registry=registry,
        )
        self._ray = Gauge(
            "cato_ray_resources",
            "What a Ray cluster has of a resource, total and free",
            ["resource", "state"],
            registry=registry,
        )

    def show(self, reports: Iterable[GpuReport]) -> None:
        for gauge in (self._memory, self._busy, self._others):
            gauge.clear()
        for report in reports:
            gpu = report.gpu
            names = (gpu.label, gpu.name)
            self._memory.labels(*names, "total").set(gpu.total)
            self._memory.labels(*names, "free").set(gpu.free)
            self._others.labels(*names).set(report.others)
            if gpu.busy is not None:
                self._busy.labels(*names).set(gpu.busy)

    def show_ray(self, resources: Mapping[str, Mapping[str, float]]) -> None:
        self._ray.clear()
        for name, amounts in resources.items():
            for state, amount in amounts.items():
                self._ray.labels(name, state).set(amount)


def make_inventory(config: Config, registry: CollectorRegistry) -> Inventory:
    """Return that of the configuration; replicas on Ray are not placed on GPUs of this machine.

    Raises ConfigError for a file that cannot be used.
    """
    if config.ray.address or config.inventory.file:
        listed = () if config.ray.address else inventory_of(config)
        return Inventory(lambda: listed, registry)
    return Inventory(partial(inventory_of, config), registry)
