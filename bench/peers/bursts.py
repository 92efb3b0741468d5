"""What becomes of requests that come when many others do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cato_lab.scoring.outcome import Outcome
from cato_lab.scoring.scores import score

BURST = 2.0
"""So many times the mean rate, over one second of the workload, is a burst. Of Poisson arrivals at
20 a second hardly any second is one."""


@dataclass(frozen=True, slots=True)
class BurstScore:
    """Over the requests that arrived in a burst. Goodput is None where none of a kind did."""

    seconds: int
    requests: int
    ttft_goodput: float | None
    e2e_goodput: float | None


def burst_seconds(times: Iterable[float], duration_s: float) -> frozenset[int]:
    """The seconds of the run in which at least `BURST` times the mean arrived."""
    counts = Counter(int(time) for time in times)
    least = BURST * counts.total() / duration_s
    return frozenset(second for second, count in counts.items() if count >= least)


def score_bursts(outcomes: Sequence[Outcome], duration_s: float) -> BurstScore:
    """Goodput of the classes that promise a TTFT, and of those that promise the whole answer."""
    bursts = burst_seconds((o.arrival.time for o in outcomes), duration_s)
    during = [o for o in outcomes if int(o.arrival.time) in bursts]
    return BurstScore(
        seconds=len(bursts),
        requests=len(during),
        ttft_goodput=_goodput(o for o in during if o.arrival.target.ttft_s is not None),
        e2e_goodput=_goodput(o for o in during if o.arrival.target.ttft_s is None),
    )


def _goodput(outcomes: Iterable[Outcome]) -> float | None:
    overall = score(list(outcomes), 1.0).overall
    return round(overall.goodput, 4) if overall.counted else None
