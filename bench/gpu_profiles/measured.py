"""What was measured end to end, by others: read, and compared with what a law makes of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from bench.gpu_profiles.closed_loop import Cell, closed_loop
from bench.gpu_profiles.shapes import Shape, shape_of
from bench.gpu_profiles.steps import Machine, Overheads, Step, step_seconds
from cato_backend.profile_files.profile import EngineLimits, StepLaw

CONFIGS = Path(__file__).parent / "configs"
ROUNDS = 6
"""Requests for each one in flight: fitted to TTFT, since the sources do not tell. The first round
starts all at once and waits long for it, so the mean TTFT depends on how many rounds follow."""

SINGLE_STREAM = {
    "Qwen2.5-Coder-0.5B": (312, 305),
    "Qwen2.5-Coder-1.5B": (183, 177),
    "Qwen2.5-Coder-3B": (128, 123),
    "Qwen2.5-Coder-7B": (84, 81),
    "Qwen2.5-Coder-14B": (46, 44),
    "Qwen2.5-Coder-32B": (22, 21),
}
"""Output tokens per second of Qwen2.5 on one A100, vLLM, one stream of 2,048 tokens behind a prompt
of 1 and of 6,144 tokens, as its makers publish them."""
SINGLE_STREAM_STEPS = (Step(1, 1024), Step(1, 7168))
"""Steps of the middle of those answers."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One cell. Times in seconds."""

    cell: Cell
    gpus: int
    ttft_s: float
    tpot_s: float


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of `measured_end_to_end.csv`."""

    backend: str
    model: str
    system: str
    precision: str


def shape_named(name: str) -> Shape:
    """The shape of a model in `configs/`."""
    return shape_of(json.loads((CONFIGS / f"{name}.json").read_text()))


def read_cells(folder: Path, wanted: Selection) -> list[Measured]:
    """The cells in a fixed order: GPUs, prompt, output, batch."""
    with (folder / "measured_end_to_end.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if _selected(row, wanted)]
    cells = [_measured(row) for row in rows]
    return sorted(cells, key=lambda each: (each.gpus, astuple(each.cell)))


def _selected(row: dict[str, str], wanted: Selection) -> bool:
    found = Selection(row["backend"], row["model_path"], row["system"], row["precision"])
    return found == wanted


def _measured(row: dict[str, str]) -> Measured:
    return Measured(
        cell=Cell(int(row["isl"]), int(row["osl"]), int(row["batch_size"])),
        gpus=int(row["tp_size"]),
        ttft_s=float(row["silicon_ttft_ms"]) / 1000,
        tpot_s=float(row["silicon_tpot_ms"]) / 1000,
    )


def held_together(cells: Sequence[Measured], limits: EngineLimits) -> list[Measured]:
    """Those whose requests all fit the KV cache at once. In the others requests wait for memory,
    and how much of it the engine had the source does not tell."""
    return [
        each
        for each in cells
        if each.cell.batch * (each.cell.prompt_tokens + each.cell.output_tokens) <= limits.kv_tokens
    ]


def ratios(
    law: StepLaw, limits: EngineLimits, cells: Sequence[Measured], rounds: int = ROUNDS
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Predicted over measured: a row of (TTFT, TPOT) for each cell."""
    predicted = [closed_loop(law, limits, each.cell, rounds) for each in cells]
    return np.array(predicted) / [(each.ttft_s, each.tpot_s) for each in cells]


def single_stream_ratios(
    names: Sequence[str], machine: Machine, overheads: Overheads
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Predicted over published time for each token, two for each model."""
    found: list[float] = []
    for name in names:
        seconds = step_seconds(SINGLE_STREAM_STEPS, shape_named(name), machine, overheads)
        found.extend(seconds * SINGLE_STREAM[name])
    return np.array(found)
