"""Scaling rules at equal goodput: what `bench.provisioning` found, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from statistics import fmean
from typing import Any

GOODPUTS = (0.90, 0.95, 0.97, 0.98)
OURS, STATIC, KNOWING = "planned", "static", "clairvoyant"


def frontier(rows: Sequence[Mapping[str, Any]], goodput: float) -> float:
    """Mean replicas with which a rule reaches the goodput: the cheapest mixture of two settings,
    one below and one at or above it; NaN where no setting reaches it."""
    points = [(row["goodput"], row["mean_replicas"]) for row in rows]
    above = [point for point in points if point[0] >= goodput]
    below = [point for point in points if point[0] < goodput]
    costs = [cost for _, cost in above]
    for high, dear in above:
        for low, cheap in below:
            costs.append(cheap + (dear - cheap) * (goodput - low) / (high - low))
    return min(costs, default=nan)


def means(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each setting: the mean over the seeds."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["setting"], []).append(row)
    names = ("goodput", "peak_goodput", "mean_replicas", "utilization", "moves")
    return [
        {"setting": setting, **{name: fmean(row[name] for row in found) for name in names}}
        for setting, found in grouped.items()
    ]


def static_peak(rows: Sequence[Mapping[str, Any]], goodput: float) -> Mapping[str, Any] | None:
    """Of the static fleets the smallest that keeps the goodput in the busiest stretch, too."""
    enough = [row for row in rows if row["peak_goodput"] >= goodput]
    return min(enough, key=lambda row: row["mean_replicas"], default=None)


def tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """Those of each workload and start-up time."""
    lines: list[str] = []
    for name, start_s in dict.fromkeys((row["workload"], row["start_s"]) for row in rows):
        here = [r for r in rows if (r["workload"], r["start_s"]) == (name, start_s)]
        rules = {
            rule: means([row for row in here if row["rule"] == rule])
            for rule in dict.fromkeys(row["rule"] for row in here)
        }
        lines += [f"\n{name}, a replica starts in {start_s:.0f} s: mean replicas for a goodput"]
        lines += [_row("rule", [f"{goodput:.0%}" for goodput in GOODPUTS])]
        lines += [*_equal_goodput(rules), "", *_against_peak(rules)]
    return "\n".join(lines)


def _equal_goodput(rules: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    costs = {rule: [frontier(rows, g) for g in GOODPUTS] for rule, rows in rules.items()}
    lines = [_row(rule, [f"{cost:.2f}" for cost in found]) for rule, found in costs.items()]
    ours = costs.get(OURS, [nan] * len(GOODPUTS))
    reacting = [found for rule, found in costs.items() if rule not in (OURS, STATIC, KNOWING)]
    best = [_least([found[place] for found in reacting]) for place in range(len(GOODPUTS))]
    never = [nan] * len(GOODPUTS)
    lines.append(_ratios(f"{OURS} / best that reacts", ours, best))
    lines.append(_ratios(f"{OURS} / {STATIC} in hindsight", ours, costs.get(STATIC, never)))
    knowing = costs.get(KNOWING, never)
    lines.append(_ratios(f"{KNOWING} / {STATIC} in hindsight", knowing, costs.get(STATIC, never)))
    return lines


def _against_peak(rules: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """At the goodput that the static peak reaches over the whole run."""
    lines = [_row("static peak for", ["replicas", "goodput", OURS, "ratio", KNOWING, "ratio"])]
    for goodput in GOODPUTS:
        peak = static_peak(rules.get(STATIC, []), goodput)
        if peak is not None:
            reached, count = peak["goodput"], peak["mean_replicas"]
            values = [f"{count:.0f}", f"{reached:.1%}"]
            for rule in (OURS, KNOWING):
                cost = frontier(rules.get(rule, []), reached)
                values += [f"{cost:.2f}", f"{cost / count:.2f}"]
            lines.append(_row(f"{goodput:.0%}", values))
    return lines


def _ratios(name: str, costs: Sequence[float], others: Sequence[float]) -> str:
    pairs = zip(costs, others, strict=True)
    return _row(name, [f"{cost / other:.2f}" for cost, other in pairs])


def _least(values: Sequence[float]) -> float:
    return min((value for value in values if value == value), default=nan)


def _row(name: str, values: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(values).replace("nan", "-") + " |"
