"""The GPU memory that models need, the seats of their replicas, and the memory that is held now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cato_backend.engines.nvml import Gpu


@dataclass(frozen=True, slots=True)
class Need:
    """The GPUs and the memory that a model needs."""

    field: str
    """Where the configuration has it, such as `models.0`."""
    least: int
    """Replicas that hold their memory at the same time as the least of all other models."""
    most: int
    """Replicas that there may ever be."""
    memory: int | None = None
    """Bytes that a replica takes of its GPUs together; None: as much as there is."""
    smallest: int | None = None
    """Bytes without which the model does not load, where that is known."""
    sleeps: bool = False
    """Whether its replicas can give most of their memory back and keep their process."""
    gpus: int = 1
    """GPUs of one node that a replica is spread over, with the same share of it on each."""

    @property
    def bytes_needed(self) -> int:
        """Bytes that each of its GPUs must have for one replica."""
        return -(-(self.memory or self.smallest or 0) // self.gpus)


@dataclass(frozen=True, slots=True)
class Seat:
    """The part of a GPU, or of several, that a replica holds."""

    gpu: Gpu
    held: int
    """Bytes of each of its GPUs while it is awake."""
    asleep: int | None
    """Bytes of each while it sleeps; None where it cannot."""
    beside: tuple[Gpu, ...] = ()
    """The other GPUs of a replica that is spread over several."""

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        """All of its GPUs."""
        return self.gpu, *self.beside

    @property
    def device(self) -> str:
        """What CUDA_VISIBLE_DEVICES takes for them."""
        return ",".join(gpu.device for gpu in self.gpus)

    @property
    def share(self) -> float:
        """The share of each GPU's memory, as engines are told it."""
        return round(self.held / self.gpu.total, 3)

    @property
    def part(self) -> float:
        """How many GPUs it has: of each the part of what replicas may have, 0 to 1."""
        return sum(min(1.0, self.held / gpu.usable) for gpu in self.gpus)


class GpuMemory:
    """The memory of all GPUs. A replica without a seat needs none, and always fits."""

    def __init__(self, seats: Mapping[str, Seat]) -> None:
        self._seats = dict(seats)
        self._held: dict[str, int] = {}
        """By replica, of each of its GPUs."""
        self._awake: set[str] = set()
        self._promised: dict[str, str] = {}
        """Replica by GPU: what is given back there is for it."""

    def missing(self, replica_id: str) -> int:
        """Return the bytes that its GPUs lack for the replica to be awake; 0 where it fits."""
        return sum(self.missing_by_gpu(replica_id).values())

    def missing_by_gpu(self, replica_id: str) -> dict[str, int]:
        """Return the same for each of its GPUs that lacks any, by the GPU's label."""
        seat = self._seats.get(replica_id)
        if seat is None:
            return {}
        usable = {gpu.label: gpu.usable for gpu in seat.gpus}
        found = {
            gpu: self._taken(replica_id, gpu) + seat.held - most for gpu, most in usable.items()
        }
        return {gpu: lacking for gpu, lacking in found.items() if lacking > 0}

    def hold(self, replica_id: str) -> None:
        """Record that the replica is awake, or is on its way to be."""
        seat = self._seats.get(replica_id)
        if seat is None:
            return
        self._held[replica_id] = seat.held
        self._awake.add(replica_id)
        self.release(replica_id)

    def shrink(self, replica_id: str) -> None:
        """Record that the replica sleeps."""
        seat = self._seats.get(replica_id)
        if seat is not None:
            self._held[replica_id] = seat.asleep or 0
            self._awake.discard(replica_id)

    def free(self, replica_id: str) -> None:
        """Record that nothing of the replica is left."""
        self._held.pop(replica_id, None)
        self._awake.discard(replica_id)

    def promise(self, replica_id: str) -> None:
        """Keep what is given back on its GPUs for this replica."""
        self._promised |= {gpu.label: replica_id for gpu in self._seats[replica_id].gpus}

    def release(self, replica_id: str) -> None:
        """Keep nothing for this replica any more."""
        for gpu in [gpu for gpu, each in self._promised.items() if each == replica_id]:
            del self._promised[gpu]

    def given_back(self, replica_id: str) -> int:
        """Return the bytes that an awake replica releases when it falls asleep, or ends."""
        return self.given_back_on_each(replica_id) * self.gpus(replica_id)

    def given_back_on_each(self, replica_id: str) -> int:
        """Return the same of each of its GPUs."""
        seat = self._seats.get(replica_id)
        return 0 if seat is None else seat.held - (seat.asleep or 0)

    def gpus(self, replica_id: str) -> int:
        """Return how many GPUs a replica is spread over; 1 for one without a seat."""
        seat = self._seats.get(replica_id)
        return 1 if seat is None else len(seat.gpus)

    def awake_beside(self, replica_id: str, gpu: str | None = None) -> tuple[str, ...]:
        """Return the other replicas that are awake on this GPU of its, or on any of them."""
        seat = self._seats.get(replica_id)
        if seat is None:
            return ()
        own = [each.label for each in seat.gpus] if gpu is None else [gpu]
        beside = dict.fromkeys(each for label in own for each in self._on(label))
        return tuple(each for each in beside if each != replica_id and each in self._awake)

    def _taken(self, replica_id: str, gpu: str) -> int:
        """Return what others hold of a GPU, or were promised."""
        others = (each for each in self._on(gpu) if each != replica_id)
        taken = sum(self._held.get(each, 0) for each in others)
        promised = self._promised.get(gpu)
        if promised is not None and promised != replica_id and promised not in self._awake:
            taken += self._seats[promised].held - self._held.get(promised, 0)
        return taken

    def _on(self, gpu: str) -> list[str]:
        seats = self._seats.items()
        return [each for each, seat in seats if any(gpu == own.label for own in seat.gpus)]
