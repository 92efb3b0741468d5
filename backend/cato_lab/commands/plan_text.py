"""What `cato plan` prints, for people and for machines."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cato_backend.profile_files.document import ProfileFile
    from cato_lab.scoring.statistics import Interval
    from cato_lab.simulation.sizing import Candidate, Estimate
    from cato_lab.workloads.arrival import Workload


@dataclass(frozen=True, slots=True)
class Demand:
    """Whose requests are planned for."""

    workload: Workload
    parts: int
    """Equal parts of the team; the workload is one of them."""
    text: str


def print_overview(
    arguments: argparse.Namespace, demand: Demand, found: Sequence[tuple[ProfileFile, Estimate]]
) -> None:
    """Every GPU with its estimate."""
    from cato_lab.scoring.records import text_table

    model, wish = found[0][0].model, f"every class at {arguments.goodput:.0%}"
    print(f"{model} for {demand.text}, {wish}: estimates\n")
    rows = [
        [file.hardware, _count(e, demand), _reachable(e), *_provenance(file)] for file, e in found
    ]
    print(text_table(("GPU", "replicas", "in reach %", "profile", "validated"), rows))
    print(
        "\nEstimates take a replica's engine model and an even spread; the next step is\n"
        "  cato plan --gpu NAME ...\nwhich simulates the fleet with its router. "
        "`in reach`: the share of the tightest class\nthat an idle replica answers in time."
    )


def _count(found: Estimate, demand: Demand) -> str:
    return str(found.replicas * demand.parts)


def _reachable(found: Estimate) -> str:
    return f"{100 * min(found.reach.values()):.0f}"


def _provenance(file: ProfileFile) -> tuple[str, str]:
    validated = "no" if file.validation == "unvalidated" else "yes"
    return file.made.method, validated


def estimate_record(file: ProfileFile, found: Estimate, demand: Demand) -> dict[str, Any]:
    """One GPU with its estimate."""
    return {
        "gpu": file.hardware,
        "model": file.model,
        "replicas": found.replicas * demand.parts,
        "requests_per_s": round(found.rate * demand.parts, 2),
        "goals": {task.value: round(goal, 4) for task, goal in found.goals.items()},
        "profile": file.made.method,
        "validated": file.validation != "unvalidated",
    }


def print_fleet(
    arguments: argparse.Namespace,
    demand: Demand,
    file: ProfileFile,
    start: Estimate,
    candidates: Sequence[Candidate],
    chosen: Candidate | None,
) -> None:
    """Return the fleet, and what stands behind it."""
    from cato_lab.scoring.records import text_table

    tasks = list(candidates[0].classes)
    rows = [_row(each, demand) for each in candidates]
    goals = ["wanted", *(_wanted(start.goals.get(task)) for task in tasks), "", ""]
    print(_answer(arguments, demand, file, chosen) + "\n")
    print(
        text_table(
            ("replicas", *(f"{task} %" for task in tasks), "all %", "enough"), [*rows, goals]
        )
    )
    print(
        f"\nGoodput in % with its 95% confidence interval over {arguments.seeds} runs of "
        f"{arguments.duration:.0f} virtual s, router {arguments.policy}.\n"
        f"Profile: {file.made.method}, {_validation(file)}."
    )


def _wanted(goal: float | None) -> str:
    return "-" if goal is None else f"{100 * goal:.1f}"


def _answer(
    arguments: argparse.Namespace, demand: Demand, file: ProfileFile, chosen: Candidate | None
) -> str:
    wish = f"{demand.text}, every class at {arguments.goodput:.0%} of what is in reach"
    if chosen is None:
        return f"No count of {file.hardware} that was tried is enough for {wish}."
    count = chosen.replicas * demand.parts
    return f"{count} x {file.hardware} with {file.model}: {wish}."


def _validation(file: ProfileFile) -> str:
    if file.validation == "unvalidated":
        return "unvalidated: measure before you buy (cato profile)"
    return "validated: " + "; ".join(check.against for check in file.validation)


def _row(candidate: Candidate, demand: Demand) -> list[str]:
    shares = [*candidate.classes.values(), candidate.overall]
    count = str(candidate.replicas * demand.parts)
    return [count, *map(_percent, shares), "yes" if candidate.enough else "no"]


def _percent(of: Interval) -> str:
    if of.mean != of.mean:
        return "-"
    half = f" ±{100 * of.half:.1f}" if of.half == of.half else ""
    return f"{100 * of.mean:.1f}{half}"


def fleet_record(
    demand: Demand,
    file: ProfileFile,
    start: Estimate,
    candidates: Sequence[Candidate],
    chosen: Candidate | None,
) -> dict[str, Any]:
    """Return the fleet with every count that was simulated."""
    return {
        **estimate_record(file, start, demand),
        "estimated_replicas": start.replicas * demand.parts,
        "replicas": chosen.replicas * demand.parts if chosen else None,
        "demand": demand.text,
        "simulated": [
            {
                "replicas": each.replicas * demand.parts,
                "enough": each.enough,
                "goodput": _interval_record(each.overall),
                "classes": {str(t): _interval_record(i) for t, i in each.classes.items()},
            }
            for each in candidates
        ],
    }


def _interval_record(of: Interval) -> dict[str, float | None]:
    values = {"mean": of.mean, "low": of.low, "high": of.high}
    return {name: round(v, 4) if v == v else None for name, v in values.items()}
