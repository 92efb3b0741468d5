"""GPUs as NVML tells them: slices by name, use by others, and machines without a driver."""

from __future__ import annotations

import sys

import pytest

from cato_backend.engines.nvml import detect_gpus
from tests.fast.engines.nvml_fake import GB, FakeGpu, FakeNvml


def install(monkeypatch: pytest.MonkeyPatch, nvml: FakeNvml) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml)


def test_a_gpu_has_its_memory_use_and_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    l40s = FakeGpu("NVIDIA L40S", 48 * GB, 30 * GB, busy=37, processes=(7, 9))
    install(monkeypatch, FakeNvml(l40s))
    (gpu,) = detect_gpus()
    assert (gpu.total, gpu.free, gpu.busy, gpu.processes) == (48 * GB, 30 * GB, 0.37, (7, 9))
    assert (gpu.label, gpu.device, gpu.utilization) == ("0", "0", 0.6)


def test_a_gpu_in_slices_is_its_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    one = FakeGpu("NVIDIA A100 MIG 1g.10gb", 10 * GB, 10 * GB, "MIG-a")
    two = FakeGpu("NVIDIA A100 MIG 2g.20gb", 20 * GB, 20 * GB, "MIG-b")
    cut = FakeGpu("NVIDIA A100", slices=(one, None, two))
    install(monkeypatch, FakeNvml(FakeGpu("NVIDIA A100"), cut))
    found = [(gpu.label, gpu.device, gpu.name, gpu.total) for gpu in detect_gpus()]
    assert found == [
        ("0", "0", "NVIDIA A100", 80 * GB),
        ("1/MIG-a", "MIG-a", "NVIDIA A100 MIG 1g.10gb", 10 * GB),
        ("1/MIG-b", "MIG-b", "NVIDIA A100 MIG 2g.20gb", 20 * GB),
    ]


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeNvml(FakeGpu("NVIDIA L4"), driver=False))
    assert detect_gpus() == ()
