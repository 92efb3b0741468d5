"""Who holds how much of a GPU: awake, asleep, and promised to one that waits."""

from __future__ import annotations

from cato_backend.engines.nvml import Gpu
from cato_backend.inventory.needs import GpuMemory, Seat

GB = 1_000_000_000
ONE = Gpu(0, "A100", 100 * GB, 100 * GB)
OTHER = Gpu(1, "A100", 100 * GB, 100 * GB)


def seat(gb: int, gpu: Gpu = ONE) -> Seat:
    return Seat(gpu, gb * GB, 2 * GB)


def test_what_sleeps_leaves_room_for_others() -> None:
    memory = GpuMemory({"a": seat(60), "b": seat(60), "c": seat(60, OTHER)})
    assert memory.missing("a") == 0
    memory.hold("a")
    assert memory.missing("b") == 28 * GB
    assert memory.missing("c") == 0
    assert memory.awake_beside("b") == ("a",)
    memory.shrink("a")
    assert memory.missing("b") == 0
    assert memory.awake_beside("b") == ()
    memory.hold("b")
    assert memory.missing("a") == 28 * GB
    memory.free("b")
    assert memory.missing("a") == 0


def test_released_memory_is_reserved_for_its_claimant() -> None:
    memory = GpuMemory({"a": seat(60), "b": seat(60)})
    memory.hold("a")
    memory.promise("b")
    memory.shrink("a")
    assert memory.missing("a") > 0
    assert memory.missing("b") == 0
    memory.release("b")
    assert memory.missing("a") == 0
    memory.promise("b")
    memory.hold("b")
    memory.free("b")
    assert memory.missing("a") == 0


def test_a_replica_on_two_gpus_fits_where_both_have_room() -> None:
    wide = Seat(ONE, 60 * GB, 2 * GB, (OTHER,))
    memory = GpuMemory({"wide": wide, "a": seat(60), "b": seat(60, OTHER)})
    memory.hold("b")
    assert memory.missing_by_gpu("wide") == {"1": 28 * GB}
    assert memory.awake_beside("wide") == memory.awake_beside("wide", "1") == ("b",)
    assert memory.awake_beside("wide", "0") == ()
    memory.promise("wide")
    assert memory.missing("a") > 0, "both GPUs are kept for it"
    memory.free("b")
    memory.hold("wide")
    assert memory.given_back("wide") == 2 * 58 * GB
    assert memory.missing("a") == memory.missing("b") == 28 * GB


def test_a_replica_without_a_seat_always_fits() -> None:
    memory = GpuMemory({})
    memory.hold("cpu")
    memory.shrink("cpu")
    memory.free("cpu")
    assert memory.missing("cpu") == 0
    assert memory.given_back("cpu") == 0
    assert memory.awake_beside("cpu") == ()
