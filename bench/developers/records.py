"""The cells of a study as JSON, and back."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
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


def result_file(text: str) -> Mapping[str, Any]:
    """Return what is in the result file of this name. Raises ArgumentTypeError."""
    try:
        found: Mapping[str, Any] = json.loads(Path(text).read_bytes())
    except (OSError, ValueError) as error:
        raise ArgumentTypeError(f"{text}: expected a result file of this program") from error
    return found


def earlier(former: Mapping[str, Any]) -> list[str]:
    """Return the commands that made a result file, the oldest first."""
    return [*former.get("earlier", ()), *([former["origin"]["command"]] if former else [])]
