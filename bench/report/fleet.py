"""Claims on scaling, on models, and on engines that run without a GPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite, nan
from typing import Any

from bench.provisioning_report import GOODPUTS, KNOWING, OURS, STATIC, frontier, means
from bench.report.claims import Claim, Target, single

Document = Mapping[str, Any]
_AIM = Target(most=0.7)


def scaling(document: Document) -> Iterator[Claim]:
    """Yield the replicas of the planned rule by those of the best rule that does not know the
    future, at equal goodput: the fixed count in hindsight, and the best rule that reacts."""
    runs = document["runs"]
    for name, start_s in dict.fromkeys((run["workload"], run["start_s"]) for run in runs):
        here = [r for r in runs if (r["workload"], r["start_s"]) == (name, start_s)]
        rules = {rule: means([r for r in here if r["rule"] == rule]) for rule in _rules(here)}
        for goodput in GOODPUTS:
            yield from _ratios(
                f"{name}, start {start_s:g} s, goodput {goodput:.0%}", rules, goodput
            )


def _rules(runs: list[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(run["rule"] for run in runs))


def _ratios(place: str, rules: Mapping[str, Any], goodput: float) -> Iterator[Claim]:
    costs = {rule: frontier(rows, goodput) for rule, rows in rules.items()}
    reacting = [
        cost
        for rule, cost in costs.items()
        if rule not in (OURS, STATIC, KNOWING) and isfinite(cost)
    ]
    others = {"the fixed count in hindsight": costs.get(STATIC, nan)}
    others["the best rule that reacts"] = min(reacting, default=nan)
    for name, cost in others.items():
        if isfinite(cost):
            statement = f"{place}: replicas of the planned rule by {name}"
            yield single(statement, costs[OURS] / cost, "times", _AIM, 2)


def live(document: Document) -> Iterator[Claim]:
    """Yield goodput and replica-seconds of each rule with `cato serve`."""
    for run in document["runs"]:
        figure = f"{100 * run['goodput']:.1f}% with {run['replica_seconds']:,.0f} replica-seconds"
        target = Target(least=95) if run["rule"] == OURS else None
        verdict = target.verdict(100 * run["goodput"]) if target else None
        statement = f"{run['rule']}: goodput of the day"
        yield Claim(statement, figure, *((str(target), verdict) if verdict else ()))


def models(document: Document) -> Iterator[Claim]:
    """Yield what each model is worth on two CPU cores."""
    for row in document["models"]:
        name = row["model"]
        yield single(f"{name}: TTFT, cold", row["cold_ttft_s"], "s", None, 2)
        yield single(f"{name}: tokens/s", row["tokens_per_s"], "")
        right = f"{row['functions']} functions, {row['translations']} translations"
        yield Claim(f"{name}: useful answers", f"{row['places']} places, {right}")


def embedded(document: Document) -> Iterator[Claim]:
    """Yield how the embedded model is served on a CPU, as repeats' median with least and most."""
    kept = ("start-up", "TTFT, 1,000-token prompt", "tokens/s, alone")
    for name, figures in document["figures"].items():
        for what, figure in figures.items():
            if what.startswith(kept):
                yield Claim(f"{name}: {what}", figure)


def first_run(document: Document) -> Iterator[Claim]:
    """Yield what `make run` costs from a clean clone, and when it is repeated."""
    for title, steps in document["seconds"].items():
        for step, seconds in steps.items():
            yield single(f"{title} `make run`: {step}", seconds, "s")
    for name, size in document["megabytes"].items():
        yield single(f"disk space of {name}", size, "MB", None, 0)


def readings(document: Document) -> Iterator[Claim]:
    """Yield how many steps the shipped CPU profile was fitted to."""
    held_out = sum(reading["held_out"] for reading in document["readings"])
    fitted = len(document["readings"]) - held_out
    yield Claim(
        "settings that the shipped CPU profile is fitted to", f"{fitted}, {held_out} held out"
    )


def plans(document: Document) -> Iterator[Claim]:
    """Yield how long plans take, and how sure the cheapest fleet of each team is."""
    for team in document["teams"]:
        who = f"{team['developers']} developers"
        yield single(f"{who}: planning for every GPU", team["seconds"], "s", None, 0)
        priced = [each for each in team["fleets"] if each["cost_per_month"]]
        if priced:
            cheapest = min(priced, key=lambda each: each["cost_per_month"])
            yield single(
                f"{who}: the cheapest fleet ({cheapest['replicas']} x {cheapest['gpu']})",
                cheapest["cost_per_month"],
                f"{cheapest['currency']} a month",
                None,
                0,
            )
