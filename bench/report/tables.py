"""Tables of result files that other pages show: models, serving, profiles, scaling rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import isfinite, nan
from typing import Any

from bench.peers.tables import markdown
from bench.provisioning_report import (
    GOODPUTS,
    KNOWING,
    OURS,
    STATIC,
    frontier,
    means,
    static_peak,
)
from cato_lab.scoring.statistics import share_of

Document = Mapping[str, Any]
_SERVED = {
    "bf16-1core": "one core computes (what `cato serve` takes here)",
    "bf16-2core": "two cores",
    "fp32-2core": "two cores, float32",
}
_RULES = {STATIC: "`static`, in hindsight", KNOWING: "a rule that knows every arrival"}
_CLASSES = ("completion", "generation", "summarization", "translation")
_WORKLOADS = {("azure replay", 60.0): "Azure", ("day's curve", 15.0): "day"}


def models(document: Document) -> str:
    """Return what each model is worth, one row for each."""
    headings = ("model", "TTFT cold, s", "typed along, s", "tokens/s", "memory, GB")
    rows = [
        (
            f"`{row['model']}`",
            *(f"{row[name]:g}" for name in ("cold_ttft_s", "warm_ttft_s", "tokens_per_s")),
            f"{row['memory'] / 1000:.1f}",
            *(row[name] for name in ("places", "functions", "translations")),
        )
        for row in sorted(document["models"], key=lambda row: -float(row["tokens_per_s"]))
    ]
    return markdown((*headings, "places", "functions", "JavaScript"), rows)


def quality(document: Document) -> str:
    """Return how many answers are right, one row for each class and one column for each model."""
    found = {(row["model"], row["class"]): row["answers"] for row in document["rows"]}
    models = list(dict.fromkeys(model for model, _ in found))
    classes = dict.fromkeys(name for _, name in found)
    rows = [[name, *(_right(found.get((model, name), ())) for model in models)] for name in classes]
    return markdown(["", *(f"`{model}`" for model in models)], rows)


def _right(answers: Sequence[Mapping[str, str]]) -> str:
    """Return the answers that are right with the bounds of their share, and those as they were."""
    if not answers:
        return "not measured"
    right = sum(answer["verdict"] == "right" for answer in answers)
    share = share_of([(right, len(answers))])
    text = f"{right} of {len(answers)} ({max(0.0, 100 * share.low):.0f} to {100 * share.high:.0f}%)"
    exact = sum(answer["note"] == "the same" for answer in answers)
    return f"{text}, {exact} of them the same" if exact else text


def embedded_serving(document: Document) -> str:
    """Return start-up, memory, latency and rate of the embedded model, one column a setting."""
    figures = {_SERVED[name]: found for name, found in document["figures"].items()}
    what = next(iter(figures.values()))
    rows = [[name, *(found[name] for found in figures.values())] for name in what]
    return markdown(["", *figures], rows)


def gpu_profiles(document: Document) -> str:
    """Return the errors of composed laws: mean / P90 of the absolute values (mean)."""
    rows = [
        (row["what"], row["method"], str(row["cells"]), _errors(row, "tpot"), _errors(row, "ttft"))
        for row in document["compared"]
    ]
    return markdown(("measured", "law from", "cells", "TPOT", "TTFT"), rows)


def _errors(row: Mapping[str, Any], latency: str) -> str:
    if (found := row.get(latency)) is None:
        return "-"
    absolute = f"{found['mean_error_percent']} / {found['p90_error_percent']}"
    return f"{absolute} ({found['bias_percent']:+})"


def plans(document: Document) -> str:
    """Return the fleets of every GPU for teams of several sizes, cheapest first.

    Behind the count: how much of what is in reach all requests together have at least.
    """
    teams = sorted(document["teams"], key=lambda team: team["developers"])
    largest = sorted(
        teams[-1]["fleets"],
        key=lambda each: (each["cost_per_month"] is None, each["cost_per_month"]),
    )
    currency = largest[0]["currency"]
    headings = ["GPU"]
    for team in teams:
        people = f"{team['developers']} developers"
        headings += [f"{people}: GPUs", f"{currency} a month"]
    rows: list[tuple[str, ...]] = []
    for gpu in (each["gpu"] for each in largest):
        row = [f"`{gpu}`"]
        for team in teams:
            row += _planned(next(each for each in team["fleets"] if each["gpu"] == gpu))
        rows.append(tuple(row))
    return markdown(headings, rows)


def _planned(fleet: Mapping[str, Any]) -> tuple[str, str]:
    if fleet["replicas"] is None:
        return "none is enough", "-"
    chosen = next(each for each in fleet["simulated"] if each["replicas"] == fleet["replicas"])
    sure = f" ({100 * chosen['goodput']['of_reach']['low']:.0f}%)"
    cost = fleet["cost_per_month"]
    return f"{fleet['replicas']}{sure}", "-" if cost is None else f"{cost:,.0f}"


def scaling_live(document: Document) -> str:
    """Return goodput and replica-seconds of each rule under `cato serve`, and ours by each."""
    ours = next(run["replica_seconds"] for run in document["runs"] if run["rule"] == OURS)
    headings = ("rule", "goodput %", "replica-seconds", "`planned` / rule", "at most")
    rows = [
        (
            f"`{run['rule']}`",
            f"{100 * run['goodput']:.1f}",
            f"{run['replica_seconds']:,.0f}",
            _number(ours / run["replica_seconds"]),
            str(run["most"]),
            f"{run['started']} / {run['stopped']}",
            str(run["turned_back"]),
            f"{run['client_late_p99_ms']:.1f}",
        )
        for run in document["runs"]
    ]
    return markdown((*headings, "started / stopped", "turned back", "client late, ms (p99)"), rows)


def scaling(document: Document) -> str:
    """Return mean replicas of each rule at equal goodput, and ratios; `-` where none reaches it."""
    found = {label: _by_rule(document, *key) for key, label in _WORKLOADS.items()}
    cells = [(rules, goodput) for rules in found.values() for goodput in GOODPUTS]
    headings = [f"{label}: {goodput:.0%}" for label in found for goodput in GOODPUTS]
    names = dict.fromkeys(rule for rules in found.values() for rule in rules)
    costs = {name: [frontier(rules.get(name, []), g) for rules, g in cells] for name in names}
    reacting = [costs[name] for name in names if name not in (OURS, STATIC, KNOWING)]
    best = [min(filter(isfinite, of_cell), default=nan) for of_cell in zip(*reacting, strict=True)]
    rows = [[_RULES.get(name, f"`{name}`"), *map(_number, found)] for name, found in costs.items()]
    rows += [
        ["`planned` / best that reacts", *_ratios(costs[OURS], best)],
        ["`planned` / `static` in hindsight", *_ratios(costs[OURS], costs[STATIC])],
        ["knowing / `static` in hindsight", *_ratios(costs[KNOWING], costs[STATIC])],
    ]
    return markdown(["mean replicas for a goodput of", *headings], rows)


def _ratios(costs: Sequence[float], others: Sequence[float]) -> list[str]:
    return [_number(cost / other) for cost, other in zip(costs, others, strict=True)]


def _number(value: float) -> str:
    return f"{value:.2f}" if isfinite(value) else "-"


def static_peaks(document: Document) -> str:
    """Return what the smallest fixed count that holds in the busiest stretch costs, beside ours."""
    rows = list[Sequence[str]]()
    for key, label in _WORKLOADS.items():
        rules = _by_rule(document, *key)
        for goodput in GOODPUTS:
            if (peak := static_peak(rules[STATIC], goodput)) is not None:
                count, reached = peak["mean_replicas"], peak["goodput"]
                costs = [frontier(rules[rule], reached) for rule in (OURS, KNOWING)]
                cells = [f"{cost:.2f} ({cost / count:.2f})" for cost in costs]
                rows.append((f"{label}, {goodput:.0%}", f"{count:.0f}, {reached:.1%}", *cells))
    headings = ("busiest stretch", "replicas, goodput of the whole run")
    return markdown((*headings, "`planned` at that goodput", "knowing every arrival"), rows)


def planned_settings(document: Document) -> str:
    """Return what our rule reaches and costs with each of its settings, by workload."""
    rows = [
        (label, *_of_setting(run["setting"]), *_reached(run))
        for key, label in _WORKLOADS.items()
        for run in _ours(document, *key)
    ]
    headings = ("workload", "asked for %", "patience, s", "goodput %", "busiest stretch %")
    return markdown((*headings, *_CLASSES, "mean replicas", "moves"), rows)


def _ours(document: Document, workload: str, start_s: float) -> list[Mapping[str, Any]]:
    place = (OURS, workload, start_s)
    runs = [r for r in document["runs"] if (r["rule"], r["workload"], r["start_s"]) == place]
    return sorted(runs, key=lambda run: _of_setting(run["setting"]))


def _of_setting(setting: str) -> tuple[str, str]:
    """Return the goodput that was asked for, in percent, and the patience in seconds."""
    found = dict(re.findall(r"(\w+)=([\d.]+)", setting))
    return f"{100 * float(found['goodput']):.0f}", f"{float(found['patience_s']):g}"


def _reached(run: Mapping[str, Any]) -> tuple[str, ...]:
    shares = (run["goodput"], run["peak_goodput"], *(run["classes"][name] for name in _CLASSES))
    percent = (f"{100 * share:.1f}" for share in shares)
    return (*percent, _number(run["mean_replicas"]), str(run["moves"]))


def _by_rule(document: Document, workload: str, start_s: float) -> dict[str, list[dict[str, Any]]]:
    runs = [r for r in document["runs"] if (r["workload"], r["start_s"]) == (workload, start_s)]
    rules = dict.fromkeys(run["rule"] for run in runs)
    return {rule: means([run for run in runs if run["rule"] == rule]) for rule in rules}
