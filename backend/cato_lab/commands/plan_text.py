"""Formats the plan of one GPU as a table for people and as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from cato_backend.profile_files.document import ProfileFile
from cato_backend.profile_files.prices import Prices
from cato_backend.wire.headers import Task
from cato_lab.scoring.records import text_table
from cato_lab.simulation.sizing import Candidate, ClassGoodput, Verdict
from cato_lab.workloads.arrival import Workload

_ENOUGH = MappingProxyType(
    {Verdict.ENOUGH: "yes", Verdict.NOT_ENOUGH: "no", Verdict.UNCERTAIN: "uncertain"}
)


@dataclass(frozen=True, slots=True)
class Demand:
    """The demand of a plan. `load`: the load of one part, in the unit of the workload."""

    workload: Workload
    load: float
    parts: int
    """Equal parts of the team; the workload is one of them."""
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The fleet of one GPU for a demand. `chosen` is None where no tried fleet is large enough."""

    file: ProfileFile
    demand: Demand
    start: int
    """The estimate from which the search began."""
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None

    @property
    def count(self) -> int | None:
        """Replicas of the whole team."""
        return None if self.chosen is None else self.chosen.replicas * self.demand.parts

    @property
    def developers(self) -> int:
        """People whom the fleet serves, where they were asked for."""
        return 0 if self.chosen is None else round(self.chosen.load) * self.demand.parts


# -- every GPU ---------------------------------------------------------------------------------


def print_overview(arguments: argparse.Namespace, plans: Sequence[Plan], prices: Prices) -> None:
    """Print the fleet of every GPU, cheapest first."""
    asks_people = arguments.replicas is not None
    wish = f"every class at {arguments.goodput:.0%} of what is in reach"
    first = plans[0]
    what = f"{arguments.replicas} replicas" if asks_people else first.demand.text
    print(f"{first.file.model}, {what}, {wish}:\n")
    ranked = sorted(plans, key=lambda plan: _rank(plan, prices))
    rows = [_overview_row(plan, prices, asks_people=asks_people) for plan in ranked]
    answer = "developers" if asks_people else "replicas"
    costs = (f"{prices.currency}/hour", f"{prices.currency}/month")
    headings = ("GPU", answer, *costs, "tightest class", "goodput %", "of reach %", "profile")
    print(text_table(headings, rows))
    print(_notes(arguments, plans, prices))


def _rank(plan: Plan, prices: Prices) -> tuple[bool, float, int]:
    """Sort by cost for each developer, those without a price last."""
    cost = None if plan.count is None else prices.per_hour(plan.file.hardware, plan.count)
    people = max(1, plan.developers)
    return cost is None, (cost or 0.0) / people, plan.count or 0


def _overview_row(plan: Plan, prices: Prices, *, asks_people: bool) -> list[str]:
    name, method = plan.file.hardware, _method(plan.file)
    if plan.chosen is None or plan.count is None:
        return [name, "none is enough", *"-----", method]
    tightest = plan.chosen.tightest
    found = plan.chosen.classes[tightest]
    answer = plan.developers if asks_people else plan.count
    costs = money(prices, name, plan.count)
    shares = (f"{100 * found.share.mean:.1f}", _bounds(found))
    return [name, str(answer), *costs, tightest.value, *shares, method]


def money(prices: Prices, gpu: str, replicas: int) -> tuple[str, str]:
    """Return the cost of an hour and of a month; `-` where the GPU has no price."""
    per_hour, per_month = prices.per_hour(gpu, replicas), prices.per_month(gpu, replicas)
    if per_hour is None or per_month is None:
        return "-", "-"
    return f"{per_hour:.2f}", f"{per_month:,.0f}"


def _method(file: ProfileFile) -> str:
    return file.made.method + ("" if _is_validated(file) else ", unvalidated")


def _is_validated(file: ProfileFile) -> bool:
    return file.validation != "unvalidated"


# -- one GPU -----------------------------------------------------------------------------------


def print_plan(arguments: argparse.Namespace, plan: Plan, prices: Prices) -> None:
    """Print one GPU's fleet and every one that was simulated on the way."""
    asks_people = arguments.replicas is not None
    tasks = list(plan.candidates[0].classes)
    rows = [_row(each, plan, tasks, asks_people=asks_people) for each in plan.candidates]
    goal = f"({100 * arguments.goodput:.1f})"
    wanted = ["wanted", *(goal for _ in tasks), "", "", ""]
    print(_answer(arguments, plan, prices, asks_people=asks_people) + "\n")
    answer = "developers" if asks_people else "replicas"
    headings = (answer, *(f"{task} %" for task in tasks), "all %", "runs", "enough")
    print(text_table(headings, [*rows, wanted]))
    print(_notes(arguments, [plan], prices))
    print(f"Profile: {plan.file.made.method}, {_validation(plan.file)}.")


def _answer(arguments: argparse.Namespace, plan: Plan, prices: Prices, *, asks_people: bool) -> str:
    name, wish = plan.file.hardware, f"every class at {arguments.goodput:.0%} of what is in reach"
    if plan.chosen is None or plan.count is None:
        who = "one developer" if asks_people else plan.demand.text
        return f"No fleet of {name} that was tried is enough for {who}, {wish}."
    hour, month = money(prices, name, plan.count)
    cost = "" if hour == "-" else f", {hour} {prices.currency}/hour ({month} a month)"
    fleet = f"{plan.count} x {name} with {plan.file.model}{cost}"
    return f"{fleet}: {plan.demand.text}, {wish}."


def _row(
    candidate: Candidate, plan: Plan, tasks: Sequence[Task], *, asks_people: bool
) -> list[str]:
    parts = plan.demand.parts
    count = round(candidate.load) * parts if asks_people else candidate.replicas * parts
    shares = [_percent(candidate.classes.get(task)) for task in tasks]
    enough = _ENOUGH[candidate.verdict]
    return [str(count), *shares, _percent(candidate.overall), str(candidate.runs), enough]


def _percent(found: ClassGoodput | None) -> str:
    """Return the goodput, and in brackets the bounds of it as a share of what is in reach."""
    if found is None or not found.share.counted:
        return "-"
    return f"{100 * found.share.mean:.1f} ({_bounds(found)})"


def _bounds(found: ClassGoodput) -> str:
    if not found.is_judged:
        return "few"
    low, high = (max(0.0, each) for each in (found.of_reach.low, found.of_reach.high))
    return f"{100 * low:.1f} to {100 * high:.1f}"


def _validation(file: ProfileFile) -> str:
    if file.validation == "unvalidated":
        return "unvalidated: measure before you buy (cato profile)"
    return "validated: " + "; ".join(check.against for check in file.validation)


def _notes(arguments: argparse.Namespace, plans: Sequence[Plan], prices: Prices) -> str:
    """Return what the figures rest on."""
    gpus = [plan.file.hardware for plan in plans]
    lines = [
        "\nReach: what an ample fleet of the GPU answers in time. In brackets, and `of reach`: "
        "bounds, 95% confidence\neach. Uncertain: what is wanted lies between them. Few: too few "
        f"requests to judge by.\nRouter {arguments.policy}, at most {arguments.seeds} runs of "
        f"{arguments.duration:.0f} virtual s.",
    ]
    sources = prices.sources(gpus)
    if sources:
        lines.append(f"Prices: {'; '.join(sources)}.")
    missing = prices.missing(gpus)
    if missing:
        lines.append(f"No price: {', '.join(missing)} (--prices FILE).")
    return "\n".join(lines)


# -- JSON --------------------------------------------------------------------------------------


def plan_record(plan: Plan, prices: Prices) -> dict[str, Any]:
    """Return the fleet with every one that was simulated."""
    file, parts = plan.file, plan.demand.parts
    count = plan.count or 0
    per_hour, per_month = (of(file.hardware, count) for of in (prices.per_hour, prices.per_month))
    return {
        "gpu": file.hardware,
        "model": file.model,
        "demand": plan.demand.text,
        "replicas": plan.count,
        "developers": plan.developers or None,
        "currency": prices.currency,
        "cost_per_hour": round(per_hour, 4) if per_hour else None,
        "cost_per_month": round(per_month, 2) if per_month else None,
        "estimated_replicas": plan.start * parts,
        "profile": file.made.method,
        "validated": _is_validated(file),
        "simulated": list(_simulated(plan)),
    }


def _simulated(plan: Plan) -> Iterable[dict[str, Any]]:
    for each in plan.candidates:
        yield {
            "replicas": each.replicas * plan.demand.parts,
            "load": each.load * plan.demand.parts,
            "enough": each.enough,
            "verdict": each.verdict.value,
            "runs": each.runs,
            "goodput": _class_record(each.overall),
            "classes": {task.value: _class_record(of) for task, of in each.classes.items()},
        }


def _class_record(found: ClassGoodput) -> dict[str, Any]:
    return {
        "goodput": _plain(found.share.mean),
        "counted": found.share.counted,
        "of_reach": {
            "mean": _plain(found.of_reach.mean),
            "low": _plain(found.of_reach.low),
            "high": _plain(found.of_reach.high),
        },
        "judged": found.is_judged,
    }


def _plain(value: float) -> float | None:
    return round(value, 4) if value == value else None
