"""Finds the constants that no kernel table holds: `python -m bench.gpu_profiles.calibrate DATA`.

Every second cell of Qwen3-32B on H100s and three of the six single-stream models serve to find
them; `check` reports on the others. What it prints stands in `machines.py`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from bench.gpu_profiles.machines import compose, limits_on, machine_of
from bench.gpu_profiles.measured import (
    SINGLE_STREAM,
    Measured,
    Selection,
    ratios,
    read_cells,
    shape_named,
    single_stream_ratios,
)
from bench.gpu_profiles.steps import Overheads
from bench.gpu_profiles.tables import Floats

QWEN3_32B = Selection("vllm", "Qwen/Qwen3-32B", "h100_sxm", "")
NEAREST_VERSION = "0.14.0"
"""The cells were measured with vLLM 0.12; the oldest tables are nearest to it."""
START = {
    "step_s": 1.5e-3,
    "sequence_s": 30e-6,
    "layer_s": 10e-6,
    "flops_share": 0.6,
    "reduce_s": 5e-6,
}


def calibration_half(cells: list[Measured]) -> list[Measured]:
    """Every second one."""
    return cells[::2]


def single_stream_half() -> list[str]:
    """The smallest, a middle one, the largest."""
    return ["Qwen2.5-Coder-0.5B", "Qwen2.5-Coder-7B", "Qwen2.5-Coder-32B"]


def checking_half(cells: list[Measured]) -> tuple[list[Measured], list[str]]:
    """What calibration did not see."""
    return cells[1::2], [name for name in SINGLE_STREAM if name not in single_stream_half()]


def qwen3_ratios(
    cells: list[Measured], folder: Path, overheads: Overheads, reduce_s: float
) -> Floats:
    """Predicted over measured TTFT and TPOT, in the order of the number of GPUs."""
    shape = shape_named("checks/Qwen3-32B")
    found = []
    for gpus in sorted({each.gpus for each in cells}):
        machine = machine_of("h100", folder, version=NEAREST_VERSION, ways=gpus, reduce_s=reduce_s)
        limits = limits_on("h100", shape, gpus)
        law = compose(shape, machine, limits, overheads).law
        found.append(ratios(law, limits, [each for each in cells if each.gpus == gpus]))
    return np.concatenate(found)


def main() -> None:
    """Nelder-Mead on the logarithms of the constants; the loss is the mean error of TPOT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the kernel tables")
    folder: Path = parser.parse_args().data
    cells = calibration_half(read_cells(folder, QWEN3_32B))
    a100 = machine_of("a100-80gb", folder)

    def loss(logs: Floats) -> float:
        values = dict(zip(START, np.exp(logs).tolist(), strict=True))
        reduce_s = values.pop("reduce_s")
        overheads = Overheads(**values)
        tpot = qwen3_ratios(cells, folder, overheads, reduce_s)[:, 1]
        single = single_stream_ratios(single_stream_half(), a100, overheads)
        found = float(np.abs(np.log(tpot)).mean() + np.abs(np.log(single)).mean())
        sys.stderr.write(f"\r{found:.4f} {np.exp(logs)}")
        return found

    start = np.log(list(START.values()))
    simplex = np.vstack([start, start + 0.3 * np.eye(len(start))])
    best = minimize(
        loss, start, method="Nelder-Mead", options={"maxfev": 120, "initial_simplex": simplex}
    )
    print("\n" + ", ".join(f"{k}={v:.3g}" for k, v in zip(START, np.exp(best.x), strict=True)))


if __name__ == "__main__":
    main()
