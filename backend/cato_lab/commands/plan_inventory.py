"""Plans for GPUs that exist or are listed in a file: what each kind of GPU serves."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cato_backend.errors import ConfigError
from cato_backend.inventory.file import read_gpus
from cato_backend.profile_files.document import ProfileFile
from cato_backend.profile_files.hardware import gpu_hardware, gpu_kinds
from cato_backend.profile_files.prices import Prices
from cato_lab.commands.plan_text import money
from cato_lab.commands.planner import Planner
from cato_lab.scoring.records import text_table


@dataclass(frozen=True, slots=True)
class KindUse:
    """The load that GPUs of one kind serve."""

    gpu: str
    there: int
    developers: int
    """For whom all of them are enough."""
    used: int
    """Those that the team needs; all of them where no team was asked for."""


@dataclass(frozen=True, slots=True)
class InventoryPlan:
    """The load that an inventory serves, and the part of it that a team needs."""

    kinds: tuple[KindUse, ...]
    """Those that serve most for their price first."""
    asked: int | None
    """Developers; None where it was asked for how many it is enough."""

    @property
    def developers(self) -> int:
        """People for whom the whole inventory is enough."""
        return sum(each.developers for each in self.kinds)

    @property
    def is_enough(self) -> bool:
        """Whether it serves those who were asked for, or anybody."""
        return self.developers >= (self.asked or 1)


def counts_of(path: Path) -> Mapping[str, int]:
    """Return the GPUs of an inventory file by kind, as profiles name them. Raises ConfigError."""
    names = {kind.name for kind in gpu_kinds()}
    found = (gpu.name if gpu.name in names else gpu_hardware(gpu.name) for gpu in read_gpus(path))
    return Counter(found)


def usable_files(
    there: Mapping[str, int], files: Sequence[ProfileFile], path: Path
) -> list[ProfileFile]:
    """Return the profiles of the GPUs that are there. Raises ConfigError where there is none."""
    found = [file for file in files if file.hardware in there]
    if not found:
        known = ", ".join(sorted(file.hardware for file in files))
        raise ConfigError(
            f"{path}: {files[0].model} has no profile on any of {', '.join(sorted(there))}, or"
            f" does not fit there; it has one on {known} (docs/profiles.md)"
        )
    return found


def plan_inventory(
    planner: Planner,
    there: Mapping[str, int],
    files: Sequence[ProfileFile],
    prices: Prices,
    asked: int | None,
) -> InventoryPlan:
    """Return the load that the GPUs serve, and the cheapest of them for the number of developers.

    Each kind of GPU serves a part of the team of its own: a little pessimistic.
    """
    carried = {
        file.hardware: planner.people_on(file, there[file.hardware]).developers for file in files
    }
    ranked = sorted(files, key=lambda file: _cost_of_one(file, prices, there, carried))
    left, kinds = asked, list[KindUse]()
    for file in ranked:
        most, people = there[file.hardware], carried[file.hardware]
        used = most
        if left is not None:
            used = _needed(planner, file, min(left, people))
            left -= min(left, people)
        kinds.append(KindUse(file.hardware, most, people, used))
    return InventoryPlan(tuple(kinds), asked)


def _needed(planner: Planner, file: ProfileFile, people: int) -> int:
    return (planner.for_people(file, people).count or 0) if people else 0


def _cost_of_one(
    file: ProfileFile, prices: Prices, there: Mapping[str, int], carried: Mapping[str, int]
) -> tuple[bool, float]:
    """Return the cost of one developer, to sort by; kinds without a price are last."""
    price = prices.per_hour(file.hardware, there[file.hardware])
    return price is None, (price or 0.0) / max(1, carried[file.hardware])


# -- for people and programs -------------------------------------------------------------------


def print_inventory(
    arguments: argparse.Namespace,
    found: InventoryPlan,
    there: Mapping[str, int],
    prices: Prices,
) -> None:
    """Print the answer and a row for each kind of GPU."""
    print(_answer(arguments, found) + "\n")
    rows = [
        [each.gpu, str(each.there), str(each.developers), str(each.used), *_money(each, prices)]
        for each in found.kinds
    ]
    headings = ("GPU", "there", "developers", "used", f"{prices.currency}/hour", "a month")
    print(text_table(headings, rows))
    unused = sorted(set(there) - {each.gpu for each in found.kinds})
    if unused:
        print(f"Without a profile of the model, and not counted: {', '.join(unused)}.")
    print(
        "Developers: for whom all GPUs of the kind are enough, every class at"
        f" {arguments.goodput:.0%} of what is in reach, with 95% confidence."
    )


def _money(use: KindUse, prices: Prices) -> tuple[str, str]:
    return money(prices, use.gpu, use.used)


def _answer(arguments: argparse.Namespace, found: InventoryPlan) -> str:
    name = arguments.inventory
    if found.asked is None:
        return f"{name} is enough for {found.developers} developers typing."
    if not found.is_enough:
        return f"{name} is not enough for {found.asked} developers: at most for {found.developers}."
    used = (f"{each.used} of {each.there} {each.gpu}" for each in found.kinds if each.used)
    return f"{name} is enough for {found.asked} developers: {', '.join(used)}."


def inventory_record(found: InventoryPlan, prices: Prices) -> dict[str, Any]:
    """Return the answer for programs."""
    return {
        "developers": found.developers,
        "asked": found.asked,
        "enough": found.is_enough,
        "currency": prices.currency,
        "gpus": [
            {
                "gpu": each.gpu,
                "there": each.there,
                "developers": each.developers,
                "used": each.used,
                "cost_per_hour": prices.per_hour(each.gpu, each.used),
            }
            for each in found.kinds
        ],
    }
