"""Recorded traces: Azure's CSV and Mooncake's JSON lines; a bad row is refused by its number."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any, cast

from cato_backend.errors import ConfigError

_AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_MOONCAKE = ("timestamp", "input_length", "output_length", "hash_ids")
_MOST_TOKENS = 10_000_000


class TraceError(ConfigError):
    """A trace that cannot be replayed: names the file, the row and the field."""


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One recorded request; `time` in seconds from the trace's own origin."""

    time: float
    prompt_tokens: int
    output_tokens: int
    hash_ids: tuple[int, ...] = ()
    """Mooncake's: one for each 512 tokens of the prompt, over all text up to their end."""


def load_trace(path: Path) -> tuple[TraceRow, ...]:
    """Return every row of a trace, `.jsonl` as Mooncake's, anything else as Azure's CSV.

    Raises TraceError where a column is missing, a value is none, negative or NaN, or the rows are
    not in the order of time.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            read = _mooncake if path.suffix == ".jsonl" else _azure
            rows = tuple(read(path, lines))
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: not UTF-8 at byte {error.start}") from error
    if not rows:
        raise TraceError(f"{path}: no rows")
    _check_order(path, rows)
    return rows


def _azure(path: Path, lines: Iterator[str]) -> Iterator[TraceRow]:
    reader = csv.DictReader(lines)
    missing = [name for name in _AZURE if name not in (reader.fieldnames or ())]
    if missing:
        found = ", ".join(reader.fieldnames or ()) or "nothing"
        raise TraceError(f"{path}: columns missing: {', '.join(missing)} (found {found})")
    for number, row in enumerate(reader, start=1):
        yield TraceRow(
            _time(path, number, row[_AZURE[0]]),
            _count(path, number, _AZURE[1], row[_AZURE[1]]),
            _count(path, number, _AZURE[2], row[_AZURE[2]]),
        )


def _mooncake(path: Path, lines: Iterator[str]) -> Iterator[TraceRow]:
    for number, line in enumerate(lines, start=1):
        row = _object(path, number, line)
        missing = [name for name in _MOONCAKE if name not in row]
        if missing:
            raise TraceError(f"{path}: row {number}: fields missing: {', '.join(missing)}")
        yield TraceRow(
            _number(path, number, "timestamp", row["timestamp"]) / 1000,
            _count(path, number, "input_length", row["input_length"]),
            _count(path, number, "output_length", row["output_length"]),
            _hash_ids(path, number, row["hash_ids"]),
        )


def _object(path: Path, number: int, line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise TraceError(f"{path}: row {number}: not JSON: {error.msg}") from error
    if not isinstance(row, dict):
        raise TraceError(f"{path}: row {number}: got {line.strip()[:40]!r}, expected an object")
    return cast("dict[str, Any]", row)


def _hash_ids(path: Path, number: int, value: Any) -> tuple[int, ...]:
    items = _listed(value)
    if not all(type(item) is int and item >= 0 for item in items):
        raise _bad(path, number, "hash_ids", value, "a list of integers, none negative")
    return tuple(items)


def _listed(value: Any) -> list[Any]:
    return cast(Any, value) if isinstance(value, list) else [None]


def _time(path: Path, number: int, text: str | None) -> float:
    """Seconds: Azure writes a date with seven decimals, others write seconds."""
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return _number(path, number, "TIMESTAMP", text)


def _count(path: Path, number: int, field: str, value: Any) -> int:
    count = _number(path, number, field, value)
    if count != int(count) or not 1 <= count <= _MOST_TOKENS:
        raise _bad(path, number, field, value, f"an integer from 1 to {_MOST_TOKENS}")
    return int(count)


def _number(path: Path, number: int, field: str, value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError) as error:
        raise _bad(path, number, field, value, "a number") from error
    if not isfinite(found) or found < 0:
        raise _bad(path, number, field, value, "a finite number, not negative")
    return found


def _bad(path: Path, number: int, field: str, value: Any, expected: str) -> TraceError:
    return TraceError(f"{path}: row {number}: {field}: got {value!r}, expected {expected}")


def _check_order(path: Path, rows: tuple[TraceRow, ...]) -> None:
    for number, (before, after) in enumerate(pairwise(rows), start=2):
        if after.time < before.time:
            raise TraceError(
                f"{path}: row {number}: {after.time - rows[0].time:.3f} s after the first row, "
                f"but row {number - 1} is at {before.time - rows[0].time:.3f} s: sort by time"
            )
