"""The fewest GPUs for the least replicas of all models, by a mixed-integer program (HiGHS).

A column is one way to fill one GPU, or the GPUs of one node that replicas on several GPUs take.
Columns are generated where the prices of the linear program say that they help (Gilmore and Gomory
1961); then the program is solved in whole numbers over the columns that were found. A replica on
several GPUs has them alone here.
"""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil

from cato_backend.engines.nvml import Gpu
from cato_backend.errors import NoRoom
from cato_backend.inventory.needs import Need, Seat
from cato_backend.inventory.placement import SeatPlan, alike_on_node, held_on, place
from cato_backend.inventory.solvers import Column, Fill, Item, Knapsack, Solution, solve

_MOST_ROUNDS = 200

_FEW_FILLS = 300
"""Ways to fill a GPU that are taken without asking whether they help."""

_BETTER = 1e-6


@dataclass(frozen=True, slots=True)
class Packing:
    """A placement of the minimum numbers of replicas of all models."""

    places: tuple[tuple[int, tuple[int, ...]], ...]
    """For each replica its model, and its GPUs as indexes of the inventory."""
    gpus_used: int
    least_gpus: int
    """No placement needs fewer, as far as the linear program knows."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """GPUs that are interchangeable."""

    usable: int
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Nodes with the same number of GPUs of one kind."""

    kind: int
    size: int
    nodes: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class _Filled:
    """A column: replicas that fill one GPU of a kind, or a node of a shape."""

    kind: int
    fill: Fill
    gpus: int = 1
    shape: int | None = None


def pack(needs: Sequence[Need], gpus: Sequence[Gpu], limit_s: float = 1.0) -> Packing | None:
    """Return a placement on the fewest GPUs that are found within the limit; None where none is.

    Raises ModuleNotFoundError where highspy is not installed.
    """
    packer = _Packer(needs, gpus)
    filled = [*packer.on_one(), *packer.on_nodes()]
    bound = 0.0
    for _ in range(_MOST_ROUNDS):
        found = packer.solve(filled)
        if found is None:
            return None
        bound = found.value
        better = packer.better(found.prices)
        if not better:
            break
        filled += better
    whole = packer.solve(filled, whole=True, limit_s=limit_s)
    if whole is None:
        return None
    return packer.packing(filled, whole, ceil(bound - _BETTER))


class _Packer:
    def __init__(self, needs: Sequence[Need], gpus: Sequence[Gpu]) -> None:
        self._needs = needs
        self._gpus = gpus
        self._kinds = _kinds(gpus)
        self._shapes = _shapes(gpus, self._kinds)
        self._alone = [n for n, need in enumerate(needs) if need.gpus == 1 and need.least]
        self._wide = [n for n, need in enumerate(needs) if need.gpus > 1 and need.least]

    # -- columns -------------------------------------------------------------------------------

    def on_one(self) -> Iterator[_Filled]:
        """Yield all ways to fill a GPU of each kind; of many, those with one model."""
        for kind, of in enumerate(self._kinds):
            models = [model for model in self._alone if self._fitting(kind, model)]
            sizes = {model: self._size(kind, model) for model in models}
            every = list(islice(self._combined(models, of.usable, sizes), _FEW_FILLS))
            if len(every) == _FEW_FILLS:
                least = {model: self._needs[model].least for model in models}
                every = [{m: min(self._fitting(kind, m), least[m])} for m in models]
            yield from (_Filled(kind, fill) for fill in every)

    def on_nodes(self) -> Iterator[_Filled]:
        """Yield every way in which replicas on several GPUs stand on a node of each shape."""
        for number, shape in enumerate(self._shapes):
            models = [model for model in self._wide if self._fitting(shape.kind, model)]
            wide = {model: self._needs[model].gpus for model in models}
            for fill in self._combined(models, shape.size, wide):
                gpus = sum(self._needs[model].gpus * count for model, count in fill.items())
                yield _Filled(shape.kind, fill, gpus, number)

    def better(self, prices: Sequence[float]) -> list[_Filled]:
        """Return the best new way to fill a GPU of each kind, where it helps."""
        found: list[_Filled] = []
        for kind, of in enumerate(self._kinds):
            cost = 1.0 + prices[len(self._needs) + kind]
            worth = [(model, prices[model]) for model in self._alone if prices[model] > _BETTER]
            fill, value = self._most_worth(kind, of.usable, worth)
            if value > cost + _BETTER:
                found.append(_Filled(kind, fill))
        return found

    def _most_worth(
        self, kind: int, room: int, worth: Sequence[tuple[int, float]]
    ) -> tuple[Fill, float]:
        """Return the replicas on one GPU that are worth most together: a bounded knapsack."""
        items = [
            Item(model, value, self._size(kind, model), self._needs[model].least)
            for model, value in worth
            if self._fitting(kind, model)
        ]
        return Knapsack(items).best(room)

    def _combined(
        self, models: Sequence[int], left: int, sizes: Mapping[int, int]
    ) -> Iterator[Fill]:
        """Yield the non-empty combinations of replicas whose sizes are at most `left` together."""
        if not models:
            return
        model, *others = models
        for count in range(min(self._needs[model].least, left // sizes[model]) + 1):
            own = {model: count} if count else {}
            if own:
                yield own
            for fill in self._combined(others, left - count * sizes[model], sizes):
                yield {**own, **fill}

    def _size(self, kind: int, model: int) -> int:
        """Return the bytes that a replica takes of such a GPU."""
        need, of = self._needs[model], self._kinds[kind]
        return of.usable if need.memory is None else need.bytes_needed

    def _fitting(self, kind: int, model: int) -> int:
        """Return how many replicas of a model one such GPU holds."""
        usable, need = self._kinds[kind].usable, self._needs[model]
        if held_on(self._needs, model, usable) < max(1, need.bytes_needed):
            return 0
        return usable // self._size(kind, model)

    # -- the program ---------------------------------------------------------------------------

    def solve(
        self, filled: Sequence[_Filled], *, whole: bool = False, limit_s: float = 10.0
    ) -> Solution | None:
        """Return how often each column is used: rows are models, kinds, and shapes of nodes."""
        least = [float(need.least) for need in self._needs]
        most = [-float(len(kind.places)) for kind in self._kinds]
        nodes = [-float(len(shape.nodes)) for shape in self._shapes]
        columns = [self._column(each) for each in filled]
        if not whole:
            columns += [Column(1e3 * (1 + len(self._gpus)), {n: 1.0}) for n in range(len(least))]
        return solve(columns, [*least, *most, *nodes], whole=whole, limit_s=limit_s)

    def _column(self, filled: _Filled) -> Column:
        models, kinds = len(self._needs), len(self._kinds)
        entries = {model: float(count) for model, count in filled.fill.items()}
        entries[models + filled.kind] = -float(filled.gpus)
        if filled.shape is not None:
            entries[models + kinds + filled.shape] = -1.0
        return Column(float(filled.gpus), entries)

    # -- back to GPUs --------------------------------------------------------------------------

    def packing(self, filled: Sequence[_Filled], found: Solution, bound: int) -> Packing:
        """Return the GPUs of each replica; those on several GPUs choose first."""
        left = Counter({model: self._needs[model].least for model in (*self._alone, *self._wide)})
        free = [list(kind.places) for kind in self._kinds]
        nodes = [list(shape.nodes) for shape in self._shapes]
        placed: list[tuple[int, tuple[int, ...]]] = []
        used = zip(filled, found.counts, strict=True)
        for column, count in sorted(used, key=lambda pair: pair[0].shape is None):
            for _ in range(count):
                if column.shape is None:
                    on: Sequence[int] = [free[column.kind].pop()]
                else:
                    on = nodes[column.shape].pop()
                    gone = set(on[: column.gpus])
                    free[column.kind] = [each for each in free[column.kind] if each not in gone]
                placed += self._placed(column, on, left)
        gpus = {gpu for _, places in placed for gpu in places}
        return Packing(tuple(placed), len(gpus), bound)

    def _placed(
        self, column: _Filled, on: Sequence[int], left: Counter[int]
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the replicas of one use of a column, no more than are wanted."""
        rest = iter(on)
        for model, count in column.fill.items():
            wide = self._needs[model].gpus
            for _ in range(min(count, left[model])):
                left[model] -= 1
                yield model, tuple(on) if wide == 1 else tuple(next(rest) for _ in range(wide))


def _kinds(gpus: Sequence[Gpu]) -> tuple[_Kind, ...]:
    found: dict[tuple[str, int, bool], list[int]] = defaultdict(list)
    for index, gpu in enumerate(gpus):
        found[gpu.name, gpu.usable, bool(gpu.mig)].append(index)
    return tuple(_Kind(usable, tuple(places)) for (_, usable, _), places in found.items())


def _shapes(gpus: Sequence[Gpu], kinds: Sequence[_Kind]) -> tuple[_Shape, ...]:
    kind_of = {place: number for number, kind in enumerate(kinds) for place in kind.places}
    found: dict[tuple[int, int], list[tuple[int, ...]]] = defaultdict(list)
    for node in alike_on_node(gpus):
        by_kind: dict[int, list[int]] = defaultdict(list)
        for index in node:
            by_kind[kind_of[index]].append(index)
        for kind, places in by_kind.items():
            found[kind, len(places)].append(tuple(places))
    return tuple(_Shape(kind, size, tuple(nodes)) for (kind, size), nodes in found.items())


def seats_of(needs: Sequence[Need], gpus: Sequence[Gpu]) -> tuple[tuple[Seat, ...], ...]:
    """Return the seats of each model, as `place` does; with HiGHS also where `place` finds no room.

    Raises ConfigError naming the field that has to change.
    """
    try:
        return place(needs, gpus)
    except NoRoom as error:
        if importlib.util.find_spec("highspy") is None:
            raise NoRoom(
                f"{error}. The extra [placement] (highspy) tries all placements at once: pip"
                " install 'cato-lsp[placement]'"
            ) from None
        found = pack(needs, gpus)
        if found is None:
            raise
    plan = SeatPlan(needs, gpus)
    for model, places in found.places:
        plan.take(model, places)
    plan.take_the_rest()
    return plan.all()
