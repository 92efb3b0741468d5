"""Forecasts of demand, tried on traces: `python -m bench.forecast [TRACE]`.

Every five seconds of a workload each method tells quantiles of the requests per second in the bin
one horizon ahead: the time that a replica takes to wake (5 s), or to load (60 s and 120 s). They
are scored by the pinball loss, by how often the quantiles held, and by how wide they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any

from numpy.random import default_rng

from bench.machine import save
from cato_backend.commands.arguments import at_least, output_file
from cato_backend.provisioning.demand import BIN_S
from cato_backend.provisioning.task_forecast import SHARES, ForecastSeries
from cato_lab.workloads import load_trace
from cato_lab.workloads.processes import DayCurve, Gamma, Mmpp, Poisson

HORIZONS_S = (5.0, 60.0, 120.0)
_HOUR_S = 3600.0
_WARMUP_S = 300.0
_LAST_BINS = 6
_NORMAL = {share: NormalDist().inv_cdf(share) for share in SHARES}


@dataclass(frozen=True, slots=True)
class Series:
    """The arrivals of one task, and where known the period after which they are alike."""

    times: Sequence[float]
    duration_s: float
    period_s: float | None = None


Told = Mapping[float, float]
Method = Callable[[Series, float], Iterator[Told | None]]
"""Yields the quantiles after each bin of a series, for the horizon."""


def ours(series: Series, horizon_s: float) -> Iterator[Told | None]:
    """What `cato serve` tells."""
    known, times = ForecastSeries(), iter(series.times)
    coming = next(times, None)
    for number in range(_bins(series)):
        end = (number + 1) * BIN_S
        while coming is not None and coming < end:
            known.arrived(coming)
            coming = next(times, None)
        found = known.at(end, horizon_s)
        yield None if found is None else found.quantiles


def last_value(series: Series, _: float) -> Iterator[Told | None]:
    """The mean of the last half minute goes on, with the chance of counts around it."""
    rates = rates_of(series)
    for number in range(len(rates)):
        yield _around(fmean(rates[max(0, number + 1 - _LAST_BINS) : number + 1]))


def seasonal(series: Series, horizon_s: float) -> Iterator[Told | None]:
    """What was one period before, over half a minute, likewise; None in the first period."""
    rates = rates_of(series)
    ahead = round(horizon_s / BIN_S)
    period = round((series.period_s or float("inf")) / BIN_S) if series.period_s else len(rates)
    for number in range(len(rates)):
        then = number + ahead - period
        before = rates[max(0, then - _LAST_BINS // 2) : then + _LAST_BINS // 2 + 1]
        yield _around(fmean(before)) if then >= 0 and before else None


METHODS: Mapping[str, Method] = {
    "ours": ours,
    "last value": last_value,
    "seasonal": seasonal,
}


def rates_of(series: Series) -> list[float]:
    """Return the requests per second in each bin."""
    counts = [0] * _bins(series)
    for time in series.times:
        if time < len(counts) * BIN_S:
            counts[int(time // BIN_S)] += 1
    return [count / BIN_S for count in counts]


def _bins(series: Series) -> int:
    return int(series.duration_s // BIN_S)


def _around(rate: float) -> Told:
    width = sqrt(rate / BIN_S)
    return {share: max(0.0, rate + width * noise) for share, noise in _NORMAL.items()}


def scored(series: Series, horizon_s: float, method: Method) -> dict[str, Any] | None:
    """Return the scores of a method; None where it tells nothing of this series."""
    rates, ahead = rates_of(series), round(horizon_s / BIN_S)
    begin = max(_WARMUP_S, series.period_s or 0.0) / BIN_S
    pairs = [
        (told, rates[number + ahead])
        for number, told in enumerate(method(series, horizon_s))
        if told is not None and begin <= number and number + ahead < len(rates)
    ]
    if not pairs:
        return None
    return {
        "loss": fmean(_pinball(share, told[share], seen) for told, seen in pairs for share in told),
        "held": {
            str(share): fmean(_held(told[share], seen) for told, seen in pairs) for share in SHARES
        },
        "width": fmean(told[SHARES[2]] - told[SHARES[0]] for told, _ in pairs),
        "forecasts": len(pairs),
    }


def _pinball(share: float, told: float, seen: float) -> float:
    return max(share * (seen - told), (share - 1) * (seen - told))


def _held(told: float, seen: float) -> float:
    """Return 1 where a quantile held, and by half where it was met exactly."""
    return 1.0 if seen < told else 0.5 if seen == told else 0.0


def generated(seed: int) -> Iterator[tuple[str, Series]]:
    """Yield the workloads that the project generates itself."""
    rng = default_rng(seed)
    days = [time + day * _HOUR_S for day in range(3) for time in DayCurve(4.0).times(_HOUR_S, rng)]
    yield "even", Series(list(Poisson(4.0).times(_HOUR_S, rng)), _HOUR_S)
    yield "bursts (gamma, CV 5)", Series(list(Gamma(4.0, 5.0).times(_HOUR_S, rng)), _HOUR_S)
    yield "MMPP of Azure's trace", Series(list(Mmpp(4.0).times(_HOUR_S, rng)), _HOUR_S)
    steps = [*Poisson(2.0).times(900.0, rng)]
    steps += [900 + time for time in Poisson(8.0).times(900.0, rng)]
    steps += [1800 + time for time in Poisson(3.0).times(1800.0, rng)]
    yield "steps", Series(steps, _HOUR_S)
    yield "days pressed into an hour", Series(days, 3 * _HOUR_S, _HOUR_S)


def recorded(trace: Path) -> Series:
    """Return the arrivals of a trace, at its own pace."""
    rows = load_trace(trace)
    times = [row.time - rows[0].time for row in rows]
    return Series(times, times[-1])


def main() -> None:
    """Score each method on each workload and horizon."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path, nargs="?", help="a recorded trace, beside the others")
    parser.add_argument("--seeds", type=at_least(1), default=5, help="of generated workloads")
    parser.add_argument("--json", type=output_file, help="keep the result in this file")
    arguments = parser.parse_args()
    cases = [
        (name, seed, s) for seed in range(1, arguments.seeds + 1) for name, s in generated(seed)
    ]
    if arguments.trace is not None:
        cases.append((f"trace {arguments.trace.name}", 0, recorded(arguments.trace)))
    runs: list[dict[str, Any]] = []
    for name, seed, series in cases:
        for horizon_s in HORIZONS_S:
            for method, told in METHODS.items():
                scores = scored(series, horizon_s, told)
                if scores is not None:
                    case = {"workload": name, "seed": seed, "horizon_s": horizon_s}
                    runs.append({**case, "method": method, **scores})
                    print(f"{name}, {seed}, {horizon_s:g} s, {method}: {scores}")
    if arguments.json:
        save(arguments.json, {"runs": runs})


if __name__ == "__main__":
    main()
