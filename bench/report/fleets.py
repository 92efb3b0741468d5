"""Claims and tables on forecasts of demand, and on placement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

from bench.peers.tables import markdown
from bench.report.claims import Claim, Target, lead, mean

Document = Mapping[str, Any]
Runs = Sequence[Mapping[str, Any]]
_OURS = "ours"
_HIGH = "0.9"
_HELD = Target(88, 92)


def forecasts(document: Document) -> Iterator[Claim]:
    """Yield how often the 90% quantile held, and the loss beside the best other method."""
    for place, runs in _places(document).items():
        own = [run for run in runs if run["method"] == _OURS]
        held = [100 * run["held"][_HIGH] for run in own]
        yield mean(f"{place}: 90% quantiles that held", held, "%", _HELD)
        saved = {method: _savings(runs, method) for method in _methods(runs)}
        yield lead(f"{place}: loss saved, in % of the last value's", saved.pop(_OURS), saved)


def placement(document: Document) -> Iterator[Claim]:
    """Yield the gap to the best placement of small cases, and time and gap of large ones."""
    small, large = document["small"], document["large"]
    gaps = [100 * (row["gpus"] / row["gpus_at_best"] - 1) for row in small]
    yield mean("small cases: GPUs beyond the fewest possible", gaps, "%", Target(most=1), 2)
    for key, how in (("placed", "HiGHS"), ("placed_one_after_another", "one after another")):
        shares = [100 * row[key] / row["possible"] for row in document["tight"]]
        yield mean(f"GPUs that can just be filled, placed: {how}", shares, "%")
    case = f"{large[0]['gpus']} GPUs x {large[0]['models']} models"
    beyond = [100 * (row["gpus_used"] / row["bound"] - 1) for row in large]
    yield mean(f"{case}: GPUs beyond the bound", beyond, "%", Target(most=1), 2)
    seconds = [row["cpu_s"] for row in large]
    yield mean(f"{case}: processor time", seconds, "s", Target(most=2), 2)


def forecast_table(document: Document) -> str:
    """Return loss, coverage and width of each method, one row for each workload and horizon."""
    rows = [
        (place, method, *_figures([run for run in runs if run["method"] == method]))
        for place, runs in _places(document).items()
        for method in _methods(runs)
    ]
    return markdown(
        ("workload, horizon", "method", "loss", "10% held", "90%", "95%", "width"), rows
    )


def _figures(runs: Runs) -> tuple[str, ...]:
    held = [fmean(100 * run["held"][share] for run in runs) for share in ("0.1", _HIGH, "0.95")]
    loss, width = (fmean(run[name] for run in runs) for name in ("loss", "width"))
    return f"{loss:.3f}", *(f"{each:.0f}" for each in held), f"{width:.1f}"


def _places(document: Document) -> dict[str, Runs]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for run in document["runs"]:
        found.setdefault(f"{run['workload']}, {run['horizon_s']:g} s", []).append(run)
    return dict(found)


def _methods(runs: Runs) -> list[str]:
    return list(dict.fromkeys(run["method"] for run in runs))


def _savings(runs: Runs, method: str) -> dict[int, float]:
    """Return by seed the share of the last value's loss that a method saves."""
    usual = {run["seed"]: run["loss"] for run in runs if run["method"] == "last value"}
    own = {run["seed"]: run["loss"] for run in runs if run["method"] == method}
    return {seed: 1 - loss / usual[seed] for seed, loss in own.items()}
