"""Placement on many GPUs, and how near it comes to the best: `python -m bench.placement`.

Small cases are compared with every placement there is; large ones, 1,000 GPUs and 10 models, with
the bound of the linear program. Seconds are of this process on the processor.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from bench.machine import save
from cato_backend.commands.arguments import at_least, output_file
from cato_backend.engines.nvml import Gpu
from cato_backend.errors import ConfigError
from cato_backend.inventory.needs import Need
from cato_backend.inventory.packing import pack
from cato_backend.inventory.placement import held_on, place

GB = 1_000_000_000
SMALL_CASES = 60
_KINDS = (("l40s", 48), ("a100-80gb", 80), ("h100", 80), ("h200", 141))
_NODE_GPUS = 8


def fewest_by_search(needs: Sequence[Need], gpus: Sequence[Gpu]) -> int | None:
    """Return the fewest GPUs of any placement; None where there is none. For small cases only.

    Replicas on several GPUs have them alone, as `pack` has it.
    """
    replicas = [n for n, need in enumerate(needs) for _ in range(need.least)]
    replicas.sort(key=lambda n: -needs[n].gpus)
    return _Search(needs, gpus, replicas).fewest()


class _Search:
    def __init__(self, needs: Sequence[Need], gpus: Sequence[Gpu], replicas: list[int]) -> None:
        self._needs = needs
        self._gpus = gpus
        self._replicas = replicas
        self._left = [gpu.usable for gpu in gpus]
        self._used = [0] * len(gpus)
        self._best: int | None = None

    def fewest(self) -> int | None:
        self._go(0)
        return self._best

    def _go(self, number: int) -> None:
        used = sum(1 for count in self._used if count)
        if self._best is not None and used >= self._best:
            return
        if number == len(self._replicas):
            self._best = used
            return
        model = self._replicas[number]
        for places in self._choices(model):
            taken = [(p, self._size(model, p)) for p in places]
            for p, size in taken:
                self._left[p] -= size
                self._used[p] += 1
            self._go(number + 1)
            for p, size in taken:
                self._left[p] += size
                self._used[p] -= 1

    def _choices(self, model: int) -> Iterator[tuple[int, ...]]:
        need = self._needs[model]
        fits = [p for p in range(len(self._gpus)) if self._fits(model, p)]
        if need.gpus == 1:
            seen: set[tuple[str, int, int]] = set()
            for p in fits:
                alike = (self._gpus[p].name, self._left[p], self._used[p])
                if alike not in seen:
                    seen.add(alike)
                    yield (p,)
            return
        groups: dict[tuple[str, str], list[int]] = defaultdict(list)
        for p in fits:
            groups[self._gpus[p].node, self._gpus[p].name].append(p)
        for group in groups.values():
            if len(group) >= need.gpus:
                yield tuple(group[: need.gpus])

    def _fits(self, model: int, p: int) -> bool:
        need, gpu = self._needs[model], self._gpus[p]
        if held_on(self._needs, model, gpu.usable) < max(1, need.bytes_needed):
            return False
        alone = need.gpus > 1 or need.memory is None
        return self._left[p] >= max(need.bytes_needed, gpu.usable if alone else 0)

    def _size(self, model: int, p: int) -> int:
        need = self._needs[model]
        alone = need.gpus > 1 or need.memory is None
        return self._gpus[p].usable if alone else need.bytes_needed


def small_case(rng: random.Random) -> tuple[list[Need], list[Gpu]]:
    """Return three models and two to four GPUs of two kinds, which are often nearly full."""
    kinds = [rng.choice(_KINDS) for _ in range(2)]
    chosen = [kinds[n % 2] for n in range(rng.randint(2, 4))]
    gpus = [Gpu(n, name, gb * GB, gb * GB, node="a") for n, (name, gb) in enumerate(chosen)]
    needs = [
        _need(n, rng.randint(1, 3), rng.randint(8, 44), rng.choice((1, 1, 1, 2))) for n in range(3)
    ]
    return needs, gpus


def tight_case(rng: random.Random) -> tuple[list[Need], list[Gpu]]:
    """Return three models that fill three to six GPUs so that no further replica fits."""
    name, gb = rng.choice(_KINDS)
    gpus = [Gpu(n, name, gb * GB, gb * GB, node="a") for n in range(rng.randint(3, 6))]
    sizes = [rng.randint(8, gb // 2) for _ in range(3)]
    counts = [0, 0, 0]
    for gpu in gpus:
        room = gpu.usable // GB
        while fitting := [n for n, size in enumerate(sizes) if size <= room]:
            chosen = rng.choice(fitting)
            counts[chosen] += 1
            room -= sizes[chosen]
    needs = [_need(n, counts[n], sizes[n]) for n in range(3) if counts[n]]
    return needs, gpus


def large_case(rng: random.Random) -> tuple[list[Need], list[Gpu]]:
    """Return ten models, two of them on several GPUs, and 125 nodes of eight GPUs."""
    nodes = [(f"node-{n}", *_KINDS[n % len(_KINDS)]) for n in range(125)]
    gpus = [
        Gpu(n, name, gb * GB, gb * GB, node=node)
        for node, name, gb in nodes
        for n in range(_NODE_GPUS)
    ]
    needs = [_need(n, rng.randint(50, 250), rng.randint(6, 44)) for n in range(8)]
    needs += [_need(8, rng.randint(10, 40), rng.randint(30, 80), 2)]
    needs += [_need(9, rng.randint(5, 20), rng.randint(100, 170), 4)]
    return needs, gpus


def _need(number: int, least: int, memory_gb: int, gpus: int = 1) -> Need:
    return Need(f"models.{number}", least, least, memory_gb * GB, gpus=gpus)


def _is_placed(needs: Sequence[Need], gpus: Sequence[Gpu]) -> bool:
    try:
        place(needs, gpus)
    except ConfigError:
        return False
    return True


def small(seed: int) -> dict[str, Any]:
    """Return how placements compare with the best there is."""
    rng = random.Random(seed)
    cases = [small_case(rng) for _ in range(SMALL_CASES)]
    best = [fewest_by_search(*case) for case in cases]
    ours = [pack(*case) for case in cases]
    pairs = [(o.gpus_used, b) for o, b in zip(ours, best, strict=True) if o and b is not None]
    return {
        "seed": seed,
        "cases": len(cases),
        "possible": sum(b is not None for b in best),
        "placed": len(pairs),
        "gpus": sum(used for used, _ in pairs),
        "gpus_at_best": sum(b for _, b in pairs),
    }


def tight(seed: int) -> dict[str, Any]:
    """Return in how many cases that have a placement one is found."""
    rng = random.Random(seed)
    cases = [tight_case(rng) for _ in range(SMALL_CASES)]
    return {
        "seed": seed,
        "possible": len(cases),
        "placed": sum(pack(*case) is not None for case in cases),
        "placed_one_after_another": sum(_is_placed(*case) for case in cases),
    }


def large(seed: int) -> dict[str, Any]:
    """Return time and gap of a large case."""
    needs, gpus = large_case(random.Random(seed))
    began = time.process_time()
    found = pack(needs, gpus)
    seconds = time.process_time() - began
    assert found is not None
    return {
        "seed": seed,
        "gpus": len(gpus),
        "models": len(needs),
        "replicas": sum(need.least for need in needs),
        "cpu_s": round(seconds, 3),
        "gpus_used": found.gpus_used,
        "bound": found.least_gpus,
    }


def main() -> None:
    """Place small and large cases of each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=at_least(1), default=5)
    parser.add_argument("--json", type=output_file, help="keep the result in this file")
    arguments = parser.parse_args()
    seeds = range(1, arguments.seeds + 1)
    document = {
        name: [measured(seed) for seed in seeds]
        for name, measured in (("small", small), ("tight", tight), ("large", large))
    }
    for name, rows in document.items():
        for row in rows:
            print(f"{name}: {row}")
    if arguments.json:
        save(arguments.json, document, ("cato-lsp", "highspy"))


if __name__ == "__main__":
    main()
