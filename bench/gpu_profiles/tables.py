"""Measured kernel latencies of vLLM on one GPU, interpolated.

The tables are those of the aiconfigurator project (Apache-2.0): matrix products (m x k times
k x n), attention of whole prompts, attention of single new tokens; milliseconds, one file for each
GPU and vLLM version. Between the measured points latencies are interpolated linearly in logarithms;
beyond them they grow with the work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq
from scipy.interpolate import RegularGridInterpolator

Floats = npt.NDArray[np.float64]
FLASH_ATTENTION = ("vllm_flash_attn", "vllm_flash_attn_fa3", "vllm_flash_attn_fa2")
"""The kernels that vLLM chooses by itself on these GPUs."""
KV_HEADS = (1, 2, 4, 8)


@dataclass(frozen=True)
class KernelTables:
    """The tables of one GPU. All latencies in seconds."""

    folder: Path
    system: str
    """The GPU as the files name it, such as `h100_sxm`."""
    version: str
    gemm_dtype: str = "bfloat16"
    head_dim: int = 128

    def gemm(self, m: Floats, n: float, k: float) -> Floats:
        """Time of m x k times k x n for every m."""
        return self._gemm(m, np.full_like(m, n), np.full_like(m, k))

    def prefill_attention(self, length: Floats, heads: int, kv_heads: int) -> Floats:
        """Time of one prompt of each length, without anything cached, one layer."""
        return self._context(kv_heads)(length, np.full_like(length, heads))

    def decode_attention(self, sequences: Floats, context: Floats, heads: int, kv: int) -> Floats:
        """Time of one new token for each of `sequences`, each with that much context, one layer."""
        return self._generation(kv)(sequences, context, np.full_like(context, heads))

    @cached_property
    def _gemm(self) -> LogTable:
        rows = self._rows("gemm", "gemm", gemm_dtype=[self.gemm_dtype])
        return LogTable.of([rows["m"], rows["n"], rows["k"]], rows["latency"])

    def _context(self, kv_heads: int) -> LogTable:
        return self._cached[("context", kv_heads)]

    def _generation(self, kv_heads: int) -> LogTable:
        return self._cached[("generation", kv_heads)]

    @cached_property
    def _cached(self) -> dict[tuple[str, int], LogTable]:
        context = self._attention("context", batch_size=[1])
        generation = self._attention("generation")
        tables = {}
        for kv in KV_HEADS:
            few, many = (_where(rows, "num_key_value_heads", kv) for rows in (context, generation))
            tables["context", kv] = LogTable.of([few["isl"], few["num_heads"]], few["latency"])
            axes = [many["batch_size"], many["step"], many["num_heads"]]
            tables["generation", kv] = LogTable.of(axes, many["latency"])
        return tables

    def _attention(self, which: str, **wanted: list[Any]) -> dict[str, Floats]:
        wanted |= {"kv_cache_dtype": ["bfloat16"], "kernel_source": list(FLASH_ATTENTION)}
        table = {"window_size": [0], "head_dim": [self.head_dim]}
        return self._rows("attention", f"{which}_attention", **wanted, **table)

    def _rows(self, family: str, op: str, **wanted: list[Any]) -> dict[str, Floats]:
        name = f"{self.system}__{family}__vllm__{self.version}__{op}_perf.parquet"
        table = pq.read_table(self.folder / name)
        for column, values in wanted.items():
            if column in table.column_names:
                table = table.filter(
                    pc.is_in(table[column], value_set=_array(values, table[column]))
                )
        numbers = ("m", "n", "k", "batch_size", "isl", "step", "num_heads", "num_key_value_heads")
        kept = [each for each in (*numbers, "latency") if each in table.column_names]
        return {each: table[each].to_numpy().astype(float) for each in kept}


def _array(values: list[Any], column: Any) -> Any:
    import pyarrow as pa

    return pa.array(values, type=column.type)


def _where(rows: dict[str, Floats], column: str, value: float) -> dict[str, Floats]:
    keep = rows[column] == value
    return {name: values[keep] for name, values in rows.items()}


@dataclass(frozen=True)
class LogTable:
    """Latencies over a grid of sizes, interpolated in logarithms."""

    axes: tuple[Floats, ...]
    interpolate: RegularGridInterpolator

    @classmethod
    def of(cls, columns: Sequence[Floats], milliseconds: Floats) -> LogTable:
        """A table from its rows; what is missing is filled along the first axis, then the next."""
        axes = tuple(np.unique(column) for column in columns)
        grid = np.full([len(axis) for axis in axes], np.nan)
        places = tuple(np.searchsorted(a, c) for a, c in zip(axes, columns, strict=True))
        grid[places] = np.log(milliseconds / 1000)
        for axis, sizes in enumerate(axes):
            grid = _filled(grid, axis, np.log(sizes))
        return cls(axes, RegularGridInterpolator(tuple(np.log(axis) for axis in axes), grid))

    def __call__(self, *sizes: Floats) -> Floats:
        """Seconds for each row of sizes."""
        clipped = [np.clip(s, a[0], a[-1]) for s, a in zip(sizes, self.axes, strict=True)]
        seconds = np.exp(self.interpolate(np.log(np.stack(clipped, axis=-1))))
        growth = [np.maximum(s / c, 1) for s, c in zip(sizes, clipped, strict=True)]
        return np.asarray(seconds * np.prod(growth, axis=0))


def _filled(grid: Floats, axis: int, logs: Floats) -> Floats:
    """Missing cells from their line along `axis`: interpolated, beyond the last one in proportion
    to the size. A line without any is left as it is."""

    def line(values: Floats) -> Floats:
        known = ~np.isnan(values)
        if known.all() or not known.any():
            return values
        filled = np.interp(logs, logs[known], values[known])
        last = np.flatnonzero(known)[-1]
        filled[last + 1 :] = values[last] + logs[last + 1 :] - logs[last]
        return np.asarray(filled)

    return np.apply_along_axis(line, axis, grid)
