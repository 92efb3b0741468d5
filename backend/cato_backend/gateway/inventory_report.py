"""What the server tells of the GPUs and the cluster that its replicas are placed on."""

from __future__ import annotations

from typing import Any

from cato_backend.fleet.inventory import GpuReport, Inventory

_GB = 1e9


def inventory_report(inventory: Inventory) -> dict[str, Any]:
    """Return the GPUs of the last look, and what a Ray cluster has of each resource."""
    return {"gpus": [_gpu(report) for report in inventory.gpus()], "ray": dict(inventory.ray())}


def _gpu(report: GpuReport) -> dict[str, Any]:
    gpu = report.gpu
    return {
        "gpu": gpu.label,
        "name": gpu.name,
        "memory_gb": round(gpu.total / _GB, 1),
        "free_gb": round(gpu.free / _GB, 1),
        "busy": gpu.busy,
        "others": report.others,
    }
