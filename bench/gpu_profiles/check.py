"""Compares laws with what others measured end to end: `python -m bench.gpu_profiles.check DATA`.

Writes `bench/results/gpu_profiles.json` and `docs/images/profiles-check.svg`, prints a table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.gpu_profiles.calibrate import NEAREST_VERSION, QWEN3_32B, checking_half, qwen3_ratios
from bench.gpu_profiles.grid import steps_within
from bench.gpu_profiles.machines import (
    CALIBRATED,
    REDUCE_S,
    TABLES,
    compose,
    limits_on,
    machine_of,
)
from bench.gpu_profiles.make import MODELS, make
from bench.gpu_profiles.measured import (
    CONFIGS,
    SINGLE_STREAM,
    SINGLE_STREAM_STEPS,
    Measured,
    Selection,
    held_together,
    ratios,
    read_cells,
    shape_named,
    single_stream_ratios,
)
from bench.gpu_profiles.steps import step_seconds
from bench.gpu_profiles.tables import Floats
from cato_backend.profile_files.hardware import file_name, gpu_kind
from cato_backend.profile_files.profile import EngineLimits
from cato_backend.profile_files.roofline import Efficiency, roofline_law
from cato_backend.profile_files.shape import read_shape

ROOT = Path(__file__).parents[2]
LLAMA_70B_H100 = Selection("vllm", "meta-llama/Llama-3.1-70B", "h100_sxm", "fp8")
LLAMA_70B_B200 = Selection("vllm", "meta-llama/Llama-3.1-70B", "b200_sxm", "fp8")
LLAMA_8B_H100 = Selection("trtllm", "meta-llama/Llama-3.1-8B-Instruct", "h100_sxm", "")


@dataclass(frozen=True)
class Compared:
    """One row of the table."""

    what: str
    method: str
    ratios: Floats
    """Predicted over measured: (TTFT, TPOT) for each cell, TTFT NaN where there is none."""
    measured: Sequence[Measured] = ()

    def row(self) -> dict[str, Any]:
        """Mean and 90th percentile of the absolute error, the mean error, and the root mean square
        of the errors' logarithms, in percent."""
        found: dict[str, Any] = {
            "what": self.what,
            "method": self.method,
            "cells": len(self.ratios),
        }
        for name, values in zip(("ttft", "tpot"), self.ratios.T, strict=True):
            if not np.isnan(values).any():
                errors = 100 * (values - 1)
                found[name] = {
                    "mean_error_percent": round(float(np.abs(errors).mean()), 1),
                    "p90_error_percent": round(float(np.quantile(np.abs(errors), 0.9)), 1),
                    "bias_percent": round(float(errors.mean()), 1),
                    "spread_percent": round(100 * float(np.sqrt((np.log(values) ** 2).mean())), 1),
                }
        return found


def main() -> None:
    """Compares, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder with the tables and measured cells")
    folder: Path = parser.parse_args().data
    compared = [
        _qwen3(folder),
        _llama_70b(folder),
        _llama_8b(folder),
        _single_stream(folder),
        _roofline_single_stream(),
        _roofline_llama_8b(folder),
        _roofline_llama_70b(folder),
    ]
    rows = [each.row() for each in compared]
    for row in rows:
        print(_line(row))
    roofline = _roofline_against_tables(folder)
    print("roofline against kernel tables, step times:", roofline)
    results = ROOT / "bench/results/gpu_profiles.json"
    results.write_text(
        json.dumps({"compared": rows, "roofline_against_tables": roofline}, indent=1) + "\n"
    )
    _plot(compared, ROOT / "docs/images/profiles-check.svg")


def _qwen3(folder: Path) -> Compared:
    shape = shape_named("checks/Qwen3-32B")
    cells = [
        each
        for each in checking_half(read_cells(folder, QWEN3_32B))[0]
        if held_together([each], limits_on("h100", shape, each.gpus))
    ]
    found = qwen3_ratios(cells, folder, CALIBRATED, REDUCE_S)
    return Compared("Qwen3-32B, bf16, 2-8 H100, vLLM 0.12", "kernel tables", found, cells)


def _llama_70b(folder: Path) -> Compared:
    cells = read_cells(folder, LLAMA_70B_H100)
    shape = shape_named("checks/Llama-3.1-70B")
    found: list[Floats] = []
    kept: list[Measured] = []
    for gpus in sorted({each.gpus for each in cells}):
        machine = machine_of("h100", folder, ways=gpus, dtype="fp8")
        limits = limits_on("h100", shape, gpus, weight_bytes=1.0)
        here = held_together([each for each in cells if each.gpus == gpus], limits)
        found.append(ratios(compose(shape, machine, limits).law, limits, here))
        kept.extend(here)
    whole = np.concatenate(found)
    return Compared("Llama-3.1-70B, fp8, 2-8 H100, vLLM", "kernel tables", whole, kept)


def _llama_8b(folder: Path) -> Compared:
    shape = shape_named("checks/Llama-3.1-8B-Instruct")
    limits = limits_on("h100", shape, 1)
    cells = _on_one_gpu(folder, LLAMA_8B_H100, limits)
    law = compose(shape, machine_of("h100", folder, version=NEAREST_VERSION), limits).law
    found = ratios(law, limits, cells)
    return Compared("Llama-3.1-8B, bf16, 1 H100, TensorRT-LLM", "kernel tables", found, cells)


def _single_stream(folder: Path) -> Compared:
    _, names = checking_half([])
    tpot = single_stream_ratios(names, machine_of("a100-80gb", folder), CALIBRATED)
    return Compared("Qwen2.5 1.5B, 3B, 14B, one stream, A100, vLLM", "kernel tables", _tpot(tpot))


def _roofline_single_stream() -> Compared:
    tpot = []
    for name, rates in SINGLE_STREAM.items():
        shape = read_shape(CONFIGS / f"{name}.json")
        law = roofline_law(shape, gpu_kind("a100-80gb"), Efficiency())
        for step, rate in zip(SINGLE_STREAM_STEPS, rates, strict=True):
            tpot.append(law.seconds(1, 1, step.kv_tokens) * rate)
    return Compared("Qwen2.5 0.5B-32B, one stream, A100, vLLM", "roofline", _tpot(np.array(tpot)))


def _roofline_against_tables(folder: Path) -> dict[str, Any]:
    """Step times of every shipped pair with tables, over the whole grid."""
    errors = []
    for hardware in TABLES:
        for model in MODELS:
            roofline = make(model, hardware, folder, "2000-01-01", tables=())
            if roofline is None:
                continue
            steps = steps_within(roofline.limits.limits())
            shape = shape_named(Path(file_name(model)).stem)
            seconds = step_seconds(steps, shape, machine_of(hardware, folder), CALIBRATED)
            law = roofline.law.law()
            loads = [(s.new_tokens, s.sequences, s.kv_tokens, s.attention) for s in steps]
            errors.append(np.array([law.seconds(*load) for load in loads]) / seconds - 1)
    whole = 100 * np.concatenate(errors)
    return {
        "pairs": len(errors),
        "steps": len(whole),
        "mean_error_percent": round(float(np.abs(whole).mean()), 1),
        "p90_error_percent": round(float(np.quantile(np.abs(whole), 0.9)), 1),
        "bias_percent": round(float(whole.mean()), 1),
    }


def _roofline_llama_8b(folder: Path) -> Compared:
    law = roofline_law(
        read_shape(CONFIGS / "checks/Llama-3.1-8B-Instruct.json"), gpu_kind("h100"), Efficiency()
    )
    limits = limits_on("h100", shape_named("checks/Llama-3.1-8B-Instruct"), 1)
    cells = _on_one_gpu(folder, LLAMA_8B_H100, limits)
    found = ratios(law, limits, cells)
    return Compared("Llama-3.1-8B, bf16, 1 H100, TensorRT-LLM", "roofline", found, cells)


def _roofline_llama_70b(folder: Path) -> Compared:
    shape = replace(read_shape(CONFIGS / "checks/Llama-3.1-70B.json"), weight_bytes=1.0)
    gpu = gpu_kind("b200")
    law = roofline_law(shape, replace(gpu, tflops=2 * gpu.tflops), Efficiency())
    limits = limits_on("b200", shape_named("checks/Llama-3.1-70B"), 1, weight_bytes=1.0)
    cells = _on_one_gpu(folder, LLAMA_70B_B200, limits)
    found = ratios(law, limits, cells)
    return Compared("Llama-3.1-70B, fp8, 1 B200, vLLM", "roofline", found, cells)


def _on_one_gpu(folder: Path, wanted: Selection, limits: EngineLimits) -> list[Measured]:
    cells = read_cells(folder, wanted)
    return held_together([each for each in cells if each.gpus == 1], limits)


def _tpot(values: Floats) -> Floats:
    return np.column_stack([np.full_like(values, np.nan), values])


def _line(row: dict[str, Any]) -> str:
    def percent(name: str) -> str:
        if name not in row:
            return "-"
        mean, p90, bias, spread = row[name].values()
        return f"{mean} / {p90} ({bias:+}), {spread}"

    columns = (row["what"], row["method"], str(row["cells"]), percent("tpot"), percent("ttft"))
    return "| " + " | ".join(columns) + " |"


def _plot(compared: Sequence[Compared], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "profiles"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), constrained_layout=True)
    for column, (axis, name) in enumerate(zip(axes, ("TTFT", "TPOT"), strict=True)):
        for each in compared:
            if each.measured:
                seen = [(m.ttft_s, m.tpot_s)[column] * 1000 for m in each.measured]
                label = f"{each.what} ({each.method})"
                axis.loglog(seen, seen * each.ratios[:, column], ".", label=label, alpha=0.7)
        low, high = axis.get_xlim()
        axis.plot([low, high], [low, high], color="grey", lw=0.8)
        axis.set(xlabel=f"measured {name}, ms", ylabel=f"predicted {name}, ms")
    axes[1].legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
