"""Claims on predictions, learned laws, and the emulator beside real engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench.report.claims import Claim, Target, single

Document = Mapping[str, Any]
_BOUNDS = Target(88, 92)
_LATENCIES = ("ttft p50", "ttft p95", "e2e p50", "e2e p95")


def predicted(document: Document) -> Iterator[Claim]:
    """Yield errors of predicted first tokens, and how often the 90% bounds held, under `cato`."""
    for row in document["rows"]:
        if row["policy"] != "cato":
            continue
        place = f"{row['requests_per_s']:g}/s, told {row['told']}"
        for task in ("completion", "generation"):
            error = row["error_percent"][task]["p90"]
            yield single(f"{place}: P90 error of TTFT, {task}", error, "%", Target(most=15))
        yield single(f"{place}: 90% bounds that held", row["held_percent_all"], "%", _BOUNDS)


def learned(document: Document) -> Iterator[Claim]:
    """Yield errors of learned step laws after 10 s of load, over the sampled worlds."""
    for row in document["summary"]:
        calibrated = "calibrated" if row["calibrated"] else "not calibrated"
        place = f"told {row['told']}, {calibrated}"
        error = row["step_error_percent_at_10"]
        yield single(f"{place}: mean error of step times after 10 s", error["mean"], "%", _LAW)
        yield single(f"{place}: the worst world's", error["worst"], "%", _LAW)
        yield single(f"{place}: 90% bounds that held", row["bounds_held_percent"], "%", _BOUNDS)


_LAW = Target(most=15)


def live(document: Document) -> Iterator[Claim]:
    """Yield errors before a real engine, beside how much the engine differs from run to run."""
    for name in ("ttft", "e2e"):
        error, spread = (
            document[f"{name}_error_percent"],
            document[f"{name}_from_run_to_run_percent"],
        )
        engine = f"engine from run to run {spread['p50']} / {spread['p90']}%"
        figure = f"{error['p50']} / {error['p90']}% ({engine})"
        yield Claim(f"error of predicted {name.upper()}, P50 / P90", figure)


def emulated(document: Document) -> Iterator[Claim]:
    """Yield the emulator's error on the same trace. Its target is the larger of 10% and the
    engine's own spread."""
    for number, trial in enumerate(document["trials"], 1):
        for latency in _LATENCIES:
            found = trial["compared"][latency]
            spread = 100 * found["real spread"]
            target = Target(-max(10, spread), max(10, spread))
            statement = f"trial {number}: emulated {latency.upper()} by the real one"
            error = 100 * found["error"]
            figure = f"{error:+.1f}% (engine's own spread {spread:.0f})"
            bounds = f"within ±{max(10, spread):.0f}"
            yield Claim(statement, figure, bounds, target.verdict(error))


def gpu_profiles(document: Document) -> Iterator[Claim]:
    """Yield errors of composed GPU profiles against published measurements."""
    for row in document["compared"]:
        tpot = row["tpot"]
        figure = f"{tpot['mean_error_percent']} / {tpot['p90_error_percent']}%"
        yield Claim(f"{row['what']}, from {row['method']}: error of TPOT, mean / P90", figure)


def output_lengths(document: Document) -> Iterator[Claim]:
    """Yield how far estimated output lengths are off."""
    for row in document["rows"]:
        factor = 2.718281828 ** row["spread"]
        yield Claim(
            f"estimated tokens of {row['group']}, {row['places']} places",
            f"scatter by a factor of {factor:.1f}, bias {row['bias']:+.2f} (log)",
        )
