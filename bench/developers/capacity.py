"""Runs as figures: shares of pauses, and how many developers one replica serves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from bench.developers.study import Seen, System

KEPT, LEAST = 0.9, 0.5
"""Developers are served while their share of pauses is at least `KEPT` times what the same client
reaches with the fewest developers behind its best router, and at least `LEAST`."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One system with so many developers: seed to what they saw."""

    system: System
    developers: int
    seeds: Mapping[int, Seen]

    @property
    def shares(self) -> dict[int, float]:
        """Seed to the share of pauses with the right suggestion on the screen within 500 ms."""
        return {seed: seen.right_500 / seen.pauses for seed, seen in self.seeds.items()}

    @property
    def share(self) -> float:
        """The mean over seeds."""
        return fmean(self.shares.values())


def systems(cells: Iterable[Cell], client: str | None = None) -> list[System]:
    """Return the systems in order, all or those of one client."""
    found = dict.fromkeys(cell.system for cell in cells)
    return [system for system in found if client in (None, system.client)]


def bar(cells: Sequence[Cell], client: str) -> float:
    """Return the share that a client must keep."""
    fewest = min(cell.developers for cell in cells)
    at_fewest = [c.share for c in cells if c.developers == fewest and c.system.client == client]
    return max(KEPT * max(at_fewest), LEAST)


def served(cells: Sequence[Cell], system: System) -> float:
    """Return the largest number of developers that the whole fleet serves.

    It is interpolated between the loads that were tried; 0 where the fewest are too many, and the
    highest load where all are served.
    """
    least = bar(cells, system.client)
    curve = sorted((c.developers, c.share) for c in cells if c.system == system)
    if curve[0][1] < least:
        return 0.0
    for (load, share), (next_load, next_share) in pairwise(curve):
        if next_share < least:
            return load + (next_load - load) * (share - least) / (share - next_share)
    return float(curve[-1][0])


def worth_trying(
    cells: Sequence[Cell], asked: Iterable[System], developers: int
) -> Iterator[System]:
    """Yield which of `asked` may serve so many developers, by their client's next smaller load.

    A client is left once none of its systems keeps its share, and a system once its share is below
    half of `LEAST`.
    """
    fewer = [cell for cell in cells if cell.developers < developers]
    for system in asked:
        same = [cell for cell in fewer if cell.system.client == system.client]
        last = max((cell.developers for cell in same), default=0)
        shares = {cell.system: cell.share for cell in same if cell.developers == last}
        is_able = not shares or max(shares.values()) >= bar(cells, system.client)
        if is_able and (not shares or shares.get(system, 0.0) >= LEAST / 2):
            yield system


def best(cells: Sequence[Cell], among: Iterable[System]) -> tuple[System, float]:
    """Return the system that serves most developers, and how many."""
    return max(((each, served(cells, each)) for each in among), key=lambda found: found[1])


def rivals(cells: Iterable[Cell], ours: System) -> list[System]:
    """Return the systems that use neither our client nor our router."""
    return [s for s in systems(cells) if s.client != ours.client and s.policy != ours.policy]
