"""What models ask of GPUs, and the seats that they get."""

from __future__ import annotations

from dataclasses import dataclass

from cato_backend.engines.nvml import Gpu


@dataclass(frozen=True, slots=True)
class Need:
    """What a model asks of the inventory."""

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
