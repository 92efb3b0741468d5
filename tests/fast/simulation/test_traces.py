"""Traces: replayed as recorded, and every bad row refused by its number."""

from __future__ import annotations

from pathlib import Path

import pytest

from cato_backend.wire.headers import Task
from cato_lab.workloads import TraceError, TraceWorkload, load_trace

_HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
_AZURE = (
    _HEAD + "2023-11-16 18:17:03.9799600,4808,10\n"
    "2023-11-16 18:17:04.0319600,3180,800\n2023-11-16 18:17:05.0781490,110,27\n"
)
_MOONCAKE = (
    '{"timestamp": 0, "input_length": 1100, "output_length": 50, "hash_ids": [4, 5, 6]}\n'
    '{"timestamp": 2500, "input_length": 600, "output_length": 9, "hash_ids": [4, 9]}\n'
)


def _file(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_azure_rows_keep_their_times_and_lengths(tmp_path: Path) -> None:
    rows = load_trace(_file(tmp_path, _AZURE))
    assert [row.time - rows[0].time for row in rows] == pytest.approx([0, 0.052, 1.098189])
    assert (rows[0].prompt_tokens, rows[0].output_tokens) == (4808, 10)


def test_mooncake_rows_share_the_prefixes_that_they_shared(tmp_path: Path) -> None:
    rows = load_trace(_file(tmp_path, _MOONCAKE, "trace.jsonl"))
    assert [row.time for row in rows] == [0.0, 2.5]
    first, second = TraceWorkload(rows, rate=0.4, duration_s=60.0).arrivals(1)
    assert len(first.blocks) == 1100 // 16
    assert first.blocks[:32] == second.blocks[:32]
    assert set(first.blocks[32:]).isdisjoint(second.blocks[32:])


def test_a_trace_is_stretched_to_the_rate_and_classes_follow_lengths(tmp_path: Path) -> None:
    rows = load_trace(_file(tmp_path, _AZURE))
    arrivals = list(TraceWorkload(rows, rate=4.0, duration_s=60.0).arrivals(1))
    assert arrivals[-1].time == pytest.approx(0.5)
    assert arrivals[0].task is Task.COMPLETION is arrivals[2].task
    assert arrivals[1].task is not Task.COMPLETION
    assert arrivals[1].max_tokens >= arrivals[1].output_tokens == 800


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "columns missing: TIMESTAMP, ContextTokens, GeneratedTokens (found nothing)"),
        (_HEAD, "no rows"),
        ("TIMESTAMP,GeneratedTokens\n1,2\n", "columns missing: ContextTokens (found TIMESTAMP,"),
        (_HEAD + "1,10,5\n-2,10,5\n", "row 2: TIMESTAMP: got '-2', expected a finite number, not"),
        (_HEAD + "1,10,5\nnan,10,5\n", "row 2: TIMESTAMP: got 'nan', expected a finite number"),
        (_HEAD + "1,10,5\nsoon,10,5\n", "row 2: TIMESTAMP: got 'soon', expected a number"),
        (_HEAD + "1,nan,5\n", "row 1: ContextTokens: got 'nan'"),
        (_HEAD + "1,-3,5\n", "row 1: ContextTokens: got '-3'"),
        (_HEAD + "1,10,0\n", "row 1: GeneratedTokens: got '0', expected an integer from 1"),
        (_HEAD + "1,10,2.5\n", "row 1: GeneratedTokens: got '2.5', expected an integer"),
        (_HEAD + "1,10\n", "row 1: GeneratedTokens: got None"),
        (_HEAD + "5,10,5\n9,10,5\n7,10,5\n", "row 3: 2.000 s after the first row, but row 2"),
    ],
)
def test_bad_csv_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        load_trace(_file(tmp_path, text))
    assert "trace.csv: " + said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "row 1: not JSON"),
        ("[1]\n", "row 1: got '[1]', expected an object"),
        ('{"timestamp": 1}\n', "row 1: fields missing: input_length, output_length, hash_ids"),
        (_MOONCAKE + _MOONCAKE, "row 3: 0.000 s after the first row, but row 2 is at 2.500 s"),
        (_MOONCAKE.replace("[4, 9]", '"4"'), "row 2: hash_ids: got '4', expected a list"),
        (_MOONCAKE.replace("[4, 9]", "[4, -9]"), "row 2: hash_ids: got [4, -9]"),
        (_MOONCAKE.replace("2500", "NaN"), "row 2: timestamp: got nan"),
    ],
)
def test_bad_jsonl_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        load_trace(_file(tmp_path, text, "trace.jsonl"))
    assert "trace.jsonl: " + said in str(caught.value)


def test_a_trace_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none\.csv: No such file"):
        load_trace(tmp_path / "none.csv")
