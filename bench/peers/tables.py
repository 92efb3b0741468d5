"""`python -m bench.peers.tables FILE...`: runs as Markdown. Void runs count for nothing, and are
told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import inf, isfinite
from pathlib import Path

from bench.peers.series import Record
from cato_lab.scoring.records import milliseconds, percent
from cato_lab.scoring.statistics import interval

Figure = Callable[[Record], float | None]
"""Reads one number of a run; None where it has none."""

SERVED = 0.95
"""A load is served while so large a share of the requests meets its target."""


def overall(run: Record) -> float | None:
    """Goodput of all classes together."""
    goodput: float | None = run["score"]["overall"]["goodput"]
    return goodput


def of_class(task: str) -> Figure:
    """Goodput of a class."""
    return lambda run: run["score"]["classes"].get(task, {}).get("goodput")


def in_bursts(field: str) -> Figure:
    """A field of the run's burst score."""
    return lambda run: run["bursts"][field]


def p95(task: str, latency: str) -> Figure:
    """Seconds; infinite where more than 5% had no answer."""

    def figure(run: Record) -> float | None:
        value = run["score"]["classes"].get(task, {}).get(latency, {}).get("p95")
        return inf if value == "never" else value

    return figure


def values(runs: Iterable[Record], router: str, load: float, figure: Figure) -> list[float]:
    """Of the valid runs of a router at a load."""
    of_cell = (r for r in runs if (r["router"], r["load"]) == (router, load) and not r["void"])
    return [value for run in of_cell if (value := figure(run)) is not None]


def goodput_cell(runs: Sequence[Record], router: str, load: float, figure: Figure) -> str:
    """Mean in percent, half the 95% confidence interval, and how many runs were void."""
    measured = [r for r in runs if (r["router"], r["load"]) == (router, load)]
    void = sum(run["void"] for run in measured)
    found = interval(values(runs, router, load, figure))
    told = [percent(found.mean)] if isfinite(found.mean) else []
    if isfinite(found.half):
        told.append(f"± {percent(found.half)}")
    if void:
        told.append("(void)" if void == len(measured) else f"({void} void)")
    return " ".join(told)


def latency_cell(runs: Sequence[Record], router: str, load: float, figure: Figure) -> str:
    """Mean over the seeds, in milliseconds."""
    found = values(runs, router, load, figure)
    return milliseconds(interval(found).mean) if found else ""


def served(runs: Sequence[Record], router: str, figure: Figure = overall) -> tuple[str, float]:
    """The largest load with `SERVED` goodput, straight lines between those measured: `<`, `=` or
    `>` and the load, for it may lie outside of them."""
    loads = sorted({run["load"] for run in runs if run["router"] == router})
    points = [
        (load, interval(found).mean)
        for load in loads
        if (found := values(runs, router, load, figure))
    ]
    if not points or points[0][1] < SERVED:
        return "<", points[0][0] if points else inf
    for (load, goodput), (next_load, next_goodput) in pairwise(points):
        if next_goodput < SERVED:
            share = (goodput - SERVED) / (goodput - next_goodput)
            return "=", load + share * (next_load - load)
    return ">", points[-1][0]


def ahead(runs: Sequence[Record], ours: str, load: float, figure: Figure) -> tuple[str, str] | None:
    """The best other router at a load, and by how much ours is ahead: points of percent, paired
    by seed. None where there is nothing to compare."""
    mine = _by_seed(runs, ours, load, figure)
    others = {
        name: found
        for name in dict.fromkeys(run["router"] for run in runs)
        if not name.startswith("cato") and (found := _by_seed(runs, name, load, figure))
    }
    if not mine or not others:
        return None
    best = max(others, key=lambda name: interval(list(others[name].values())).mean)
    both = [mine[seed] - others[best][seed] for seed in sorted(mine.keys() & others[best].keys())]
    lead = interval(both)
    spread = f" ± {percent(lead.half)}" if isfinite(lead.half) else ""
    return best, f"{100 * lead.mean:+.1f}{spread}" if both else ""


def _by_seed(runs: Sequence[Record], router: str, load: float, figure: Figure) -> dict[int, float]:
    return {
        run["seed"]: value
        for run in runs
        if (run["router"], run["load"]) == (router, load) and not run["void"]
        if (value := figure(run)) is not None
    }


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(runs: Sequence[Record]) -> str:
    """All tables of a series."""
    routers = list(dict.fromkeys(run["router"] for run in runs))
    loads = sorted({run["load"] for run in runs})
    parts = [_goodputs(runs, routers, loads)]
    parts += [_classes(runs, routers, load) for load in loads]
    return "\n\n".join(parts)


def _goodputs(runs: Sequence[Record], routers: Sequence[str], loads: Sequence[float]) -> str:
    rows = [
        [
            router,
            *(goodput_cell(runs, router, load, overall) for load in loads),
            "{} {:.0f}".format(*served(runs, router)),
        ]
        for router in routers
    ]
    found = (ahead(runs, "cato", load, overall) for load in loads)
    rows.append(["cato ahead of the best peer", *(one[1] if one else "" for one in found), ""])
    headings = ["goodput %", *(f"{load:g}" for load in loads), f"load with {SERVED:.0%}"]
    return markdown(headings, rows)


def _classes(runs: Sequence[Record], routers: Sequence[str], load: float) -> str:
    tasks = list(dict.fromkeys(task for run in runs for task in run["score"]["classes"]))
    figures = {f"{task} %": of_class(task) for task in tasks}
    if any(run["bursts"]["requests"] for run in runs):
        figures["TTFT classes in bursts %"] = in_bursts("ttft_goodput")
        figures["E2E classes in bursts %"] = in_bursts("e2e_goodput")
    late = {
        "generation TTFT p95, ms": p95("generation", "ttft"),
        "summarization E2E p95, ms": p95("summarization", "e2e"),
    }
    rows = [
        [
            router,
            *(goodput_cell(runs, router, load, figure) for figure in figures.values()),
            *(latency_cell(runs, router, load, figure) for figure in late.values()),
        ]
        for router in routers
    ]
    found = (ahead(runs, "cato", load, figure) for figure in figures.values())
    rows.append(
        [
            "cato ahead of the best peer of the column",
            *(f"{one[1]} ({one[0]})" if one else "" for one in found),
            *("" for _ in late),
        ]
    )
    return markdown([f"at {load:g}", *figures, *late], rows)


def main() -> None:
    """Prints the tables of the files named."""
    for name in sys.argv[1:]:
        print(f"{name}\n\n{report(json.loads(Path(name).read_text())['runs'])}\n")


if __name__ == "__main__":
    main()
