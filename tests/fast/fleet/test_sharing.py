"""Claims to a GPU's memory: who leaves, for whom it is kept, and who stays."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cato_backend.engines.nvml import Gpu
from cato_backend.fleet.sharing import GpuSharing
from cato_backend.inventory.needs import GpuMemory, Seat
from cato_backend.provisioning.worth import ClassDemand, Holding

GB = 1_000_000_000
ONE = Gpu(0, "A100", 100 * GB, 100 * GB)
OTHER = Gpu(1, "A100", 100 * GB, 100 * GB)


@dataclass
class Sharer:
    """A model whose replicas are worth so many requests per second."""

    rates: dict[str, float]
    going: dict[str, str] = field(default_factory=dict)
    hurried: int = 0

    def holding(self, replica_id: str, now: float) -> Holding | None:
        rate = self.rates.get(replica_id)
        return None if rate is None else worth(replica_id, rate)

    def leaves(self, replica_id: str) -> bool:
        return replica_id in self.going

    def vacate(self, replica_id: str, now: float, claimant: str) -> None:
        self.going[replica_id] = claimant

    def hurry(self) -> None:
        self.hurried += 1


def worth(replica_id: str, rate: float) -> Holding:
    return Holding(replica_id, 38 * GB, 1.0, (ClassDemand(rate, 3.0, 0.5),))


def fleet(**rates: float) -> tuple[GpuMemory, GpuSharing, Sharer]:
    """Two awake replicas of 40 GB each on one GPU, and a place for `new` on it."""
    names = ("a", "b", "new")
    memory = GpuMemory({name: Seat(ONE, 40 * GB, 2 * GB) for name in names})
    sharing, sharer = GpuSharing(memory), Sharer(dict(rates))
    sharing.join(sharer, frozenset(("a", "b")))
    for name in ("a", "b"):
        memory.hold(name)
    return memory, sharing, sharer


def test_the_one_that_brings_least_leaves_for_one_that_brings_more() -> None:
    memory, sharing, sharer = fleet(a=2.0, b=0.1)
    assert not sharing.fits("new")
    assert sharing.make_room(worth("new", 1.0), 0.0)
    assert sharer.going == {"b": "new"}
    memory.shrink("b")
    assert sharing.fits("new")
    assert not sharing.fits("b"), "what was given back is for the claimant"
    sharing.changed()
    assert sharer.hurried == 1


def test_a_claimant_on_two_gpus_gets_room_on_both_or_on_none() -> None:
    names = {"a": Seat(ONE, 60 * GB, 2 * GB), "b": Seat(OTHER, 60 * GB, 2 * GB)}
    memory = GpuMemory({**names, "new": Seat(ONE, 60 * GB, 2 * GB, (OTHER,))})
    sharing, sharer = GpuSharing(memory), Sharer({"a": 0.1})
    sharing.join(sharer, frozenset(("a", "b")))
    for name in ("a", "b"):
        memory.hold(name)
    claimant = replace(worth("new", 2.0), gpus=2, bytes_held=116 * GB)
    assert not sharing.make_room(claimant, 0.0)
    assert sharer.going == {}, "nobody leaves in vain"
    sharer.rates["b"] = 0.1
    assert sharing.make_room(claimant, 0.0)
    assert sharer.going == {"a": "new", "b": "new"}


def test_none_leaves_for_one_that_brings_less() -> None:
    _, sharing, sharer = fleet(a=2.0, b=2.0)
    assert not sharing.make_room(worth("new", 1.0), 0.0)
    assert sharer.going == {}


def test_who_leaves_already_is_enough() -> None:
    _, sharing, sharer = fleet(a=0.0, b=0.0)
    sharer.going["a"] = "another"
    assert sharing.make_room(worth("new", 1.0), 0.0)
    assert sharer.going == {"a": "another"}


def test_who_has_to_stay_is_not_asked() -> None:
    """One that no scaler runs, or that says nothing of its worth."""
    _, sharing, sharer = fleet()
    assert not sharing.make_room(worth("new", 50.0), 0.0)
    assert sharer.going == {}


def test_a_claim_that_is_withdrawn_keeps_nothing() -> None:
    memory, sharing, _ = fleet(a=0.0, b=0.0)
    assert sharing.make_room(worth("new", 1.0), 0.0)
    memory.shrink("a")
    sharing.withdraw("new")
    assert sharing.fits("a")
