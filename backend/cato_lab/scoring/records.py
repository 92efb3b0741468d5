"""Scores as JSON for machines, and as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from math import isfinite, isinf
from typing import Any

from cato_lab.scoring.scores import ClassScore, Latencies, Score

_HEADINGS = (
    *("class", "requests", "goodput %", "TTFT p50 ms", "p95 ms", "E2E p50 ms", "p95 ms"),
    "TPOT p95 ms",
    *("usable %", "refused", "failed", "cached %"),
)


def score_record(score: Score) -> dict[str, Any]:
    """JSON's types only.

    Seconds and shares; an answer that never came is `"never"`, what is not known is null.
    """
    return {
        "duration_s": score.duration_s,
        "goodput_per_s": plain(score.goodput_rate),
        "utilization": plain(score.utilization),
        "busy_share": plain(score.busy_share),
        "overall": class_record(score.overall),
        "classes": {task.value: class_record(of) for task, of in score.classes.items()},
    }


def class_record(score: ClassScore) -> dict[str, Any]:
    """One class of the above."""
    values = {
        field.name: latencies_record(value) if isinstance(value, Latencies) else plain(value)
        for field in fields(score)
        if (value := getattr(score, field.name)) is not None
    }
    return {"goodput": plain(score.goodput), **values}


def latencies_record(latencies: Latencies) -> dict[str, Any]:
    """Percentiles, and the curve for those who want to draw it."""
    percentiles = {f"p{percent}": plain(latencies.at(percent)) for percent in (50, 90, 95, 99)}
    return {**percentiles, "curve": [plain(value) for value in latencies.curve]}


def score_table(score: Score) -> str:
    """One line per class; times in milliseconds."""
    rows = [[task.value, *_cells(of)] for task, of in score.classes.items()]
    rows.append(["all", *_cells(score.overall)])
    lines = [text_table(_HEADINGS, rows)]
    lines.append(f"goodput {score.goodput_rate:.2f} requests/s")
    if isfinite(score.utilization):
        lines[-1] += f", utilization {score.utilization:.1%}"
    if isfinite(score.busy_share):
        lines[-1] += f", busy {score.busy_share:.1%}"
    lines += [f"  {ending}: {count}" for ending, count in sorted(score.overall.endings.items())]
    return "\n".join(lines)


def text_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns as wide as they need, the first to the left, the others to the right."""
    lines = [list(headings), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _cells(of: ClassScore) -> list[str]:
    refused = sum(n for ending, n in of.endings.items() if ending.startswith("rejected"))
    failed = sum(n for ending, n in of.endings.items() if ending.startswith("failed"))
    return [
        f"{of.counted}/{of.requests}",
        percent(of.goodput),
        *map(milliseconds, (of.ttft.at(50), of.ttft.at(95), of.e2e.at(50), of.e2e.at(95))),
        milliseconds(of.tpot.at(95)),
        percent(of.usable),
        *(str(refused), str(failed), percent(of.cached_share)),
    ]


def percent(share: float) -> str:
    """`97.5`, or `-` where there is none."""
    return f"{share:.1%}"[:-1] if isfinite(share) else "-"


def milliseconds(seconds: float) -> str:
    """`250`, `never`, or `-` where there is none."""
    if isinf(seconds):
        return "never"
    return f"{seconds * 1e3:.0f}" if isfinite(seconds) else "-"


def plain(value: Any) -> Any:
    """Return a number as JSON knows it, times to a tenth of a millisecond."""
    if isinstance(value, float) and not isfinite(value):
        return "never" if isinf(value) else None
    return round(value, 4) if isinstance(value, float) else value
