"""Assigns replicas to GPUs before any of them starts. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from cato_backend.engines.nvml import Gpu
from cato_backend.errors import ConfigError, NoRoom
from cato_backend.inventory.needs import Need, Seat

ASLEEP_BYTES = 2_000_000_000
"""What an engine that sleeps keeps of a GPU: its CUDA context and graphs."""
_GB = 1e9
_Places = tuple[int, ...]
"""GPUs of one replica, as places in the inventory."""


def place(needs: Sequence[Need], gpus: Sequence[Gpu]) -> tuple[tuple[Seat, ...], ...]:
    """Return the seats of each model, those of its least replicas first.

    The least of all models have room beside each other. Further seats may overlap: who holds the
    memory is decided while the fleet runs. Raises ConfigError naming the field that has to change.
    """
    for need in needs:
        check_size(need, gpus)
    plan = SeatPlan(needs, gpus)
    for number in sorted(range(len(needs)), key=lambda each: _order(needs[each])):
        for _ in range(needs[number].least):
            plan.take_alone(number)
    plan.take_the_rest()
    return plan.all()


def _order(need: Need) -> tuple[int, bool, int]:
    """Sort those on several GPUs first, then those that take a whole one, then the larger ones."""
    return -need.gpus, need.memory is not None, -need.bytes_needed


def check_size(need: Need, gpus: Sequence[Gpu]) -> None:
    """Raise ConfigError for a replica that has no room even where it is alone."""
    largest = max(gpus, key=lambda gpu: gpu.usable)
    if need.bytes_needed > largest.usable:
        each = "" if need.gpus == 1 else f" on each of its {need.gpus} GPUs"
        raise ConfigError(
            f"{need.field}: a replica needs {need.bytes_needed / _GB:.1f} GB of GPU memory{each},"
            f" and the largest GPU ({largest.label}, {largest.name}) has"
            f" {largest.usable / _GB:.1f} GB to give; take a smaller or a quantized model, a larger"
            " GPU, or several GPUs of one node (tensor_parallel)"
        )
    alike = max((len(each) for each in alike_on_node(gpus)), default=0)
    if need.gpus > 1 and need.gpus > alike:
        expected = f"at most {max(1, alike)}: no node has more GPUs of one kind, MIG slices aside"
        raise ConfigError.of(f"{need.field}.tensor_parallel", need.gpus, expected)


def alike_on_node(gpus: Sequence[Gpu]) -> Iterable[_Places]:
    """Return the GPUs of each node and kind, on which one replica can be spread."""
    found: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for number, gpu in enumerate(gpus):
        if not gpu.mig:
            found[gpu.node, gpu.name, gpu.total].append(number)
    return [tuple(each) for each in found.values()]


def held_on(needs: Sequence[Need], number: int, usable: int) -> int:
    """Return what a replica holds of a GPU: beside others that sleep, a little less than all."""
    need = needs[number]
    if need.memory is not None:
        return need.bytes_needed
    sleepers = sum(each.sleeps for each in needs if each is not need)
    return usable - sleepers * ASLEEP_BYTES


class SeatPlan:
    """Assigned seats, and the free memory of each GPU."""

    def __init__(self, needs: Sequence[Need], gpus: Sequence[Gpu]) -> None:
        self._needs = needs
        self._gpus = gpus
        self._alike = alike_on_node(gpus)
        self._usable = [gpu.usable for gpu in gpus]
        self._held = [
            [held_on(needs, number, usable) for usable in self._usable]
            for number in range(len(needs))
        ]
        """What a replica of each model holds of each GPU."""
        self._left = self._usable.copy()
        """After the least of all models."""
        self._seats: list[list[Seat]] = [[] for _ in needs]
        self._own = Counter[tuple[int, int]]()
        """Seats by model and GPU."""
        self._taken = Counter[int]()
        """Seats by GPU."""
        self._further = Counter[tuple[int, int]]()
        """Bytes of seats beyond the least, by model and GPU."""

    def all(self) -> tuple[tuple[Seat, ...], ...]:
        """Return the seats of each model."""
        return tuple(tuple(seats) for seats in self._seats)

    def take_alone(self, number: int) -> None:
        """Give a seat that no other overlaps. Raises NoRoom."""
        whole, needed = self._needs[number].memory is None, self._needs[number].bytes_needed
        fits = [
            place
            for place, usable in enumerate(self._usable)
            if self._left[place] >= (usable if whole else needed) and self._is_enough(number, place)
        ]
        found = self._best(number, fits, lambda p: (self._own[number, p], -self._left[p]))
        if found is None:
            raise self._no_room(number)
        self.take(number, found)

    def take(self, number: int, places: _Places) -> None:
        """Give the seat on these GPUs, which no other is to overlap."""
        seat = self._sit(number, places)
        whole = self._needs[number].memory is None
        for place in places:
            self._left[place] = 0 if whole else self._left[place] - seat.held

    def take_the_rest(self) -> None:
        """Give each model the seats beyond its least. Raises ConfigError."""
        for number, need in enumerate(self._needs):
            for _ in range(need.most - need.least):
                self._take_in_turn(number)

    def _take_in_turn(self, number: int) -> None:
        """Give a seat beside the model's own ones and the least of the others."""
        need = self._needs[number]
        room = [left - self._further[number, p] for p, left in enumerate(self._left)]
        fits = [
            place
            for place, left in enumerate(room)
            if left >= self._held[number][place] and self._is_enough(number, place)
        ]
        found = self._best(number, fits, lambda place: (self._taken[place], -room[place]))
        if found is None:
            raise ConfigError.of(
                f"{need.field}.max_replicas",
                need.most,
                f"at most {len(self._seats[number])}:"
                " no GPU has room for more of them, even while the other models have as few as"
                " they may",
            )
        seat = self._sit(number, found)
        for place in found:
            self._further[number, place] += seat.held

    def _best(
        self, number: int, fits: Sequence[int], rank: Callable[[int], tuple[int, int]]
    ) -> _Places | None:
        """Return the best GPUs among those that fit; None where there are too few."""
        wanted = self._needs[number].gpus
        if wanted == 1:
            return (min(fits, key=rank),) if fits else None
        fitting = set(fits)
        sets = [sorted(fitting.intersection(each), key=rank)[:wanted] for each in self._alike]
        whole = [tuple(each) for each in sets if len(each) == wanted]
        return min(whole, key=lambda each: sorted(map(rank, each), reverse=True), default=None)

    def _sit(self, number: int, places: _Places) -> Seat:
        gpus = [self._gpus[place] for place in places]
        held = min(self._held[number][place] for place in places)
        asleep = ASLEEP_BYTES if self._needs[number].sleeps else None
        seat = Seat(gpus[0], held, asleep, tuple(gpus[1:]))
        self._seats[number].append(seat)
        self._own.update((number, place) for place in places)
        self._taken.update(places)
        return seat

    def _is_enough(self, number: int, place: int) -> bool:
        return self._held[number][place] >= max(1, self._needs[number].bytes_needed)

    def _no_room(self, number: int) -> NoRoom:
        need, given = self._needs[number], len(self._seats[number])
        return NoRoom(
            f"{need.field}: of at least {need.least} replicas {given} fit beside the other models"
            f" on {len(self._gpus)} GPUs; with min_replicas 0 models take turns, and with memory_gb"
            " they share a GPU"
        )
