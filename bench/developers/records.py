"""The cells of a study as JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench.developers.capacity import Cell
from bench.developers.study import Seen, System


def record(cell: Cell) -> dict[str, Any]:
    """Return what is kept of a cell."""
    seeds = {str(seed): asdict(seen) for seed, seen in cell.seeds.items()}
    return {**asdict(cell.system), "developers": cell.developers, "seeds": seeds}


def recorded(kept: Mapping[str, Any]) -> Cell:
    """Return the cell of which `kept` is the record."""
    system = System(kept["client"], kept["policy"], kept["threshold"])
    seeds = {int(seed): Seen(**seen) for seed, seen in kept["seeds"].items()}
    return Cell(system, kept["developers"], seeds)
