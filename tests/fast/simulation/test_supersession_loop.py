"""Clients that supersede do not lower the goodput of replicas whose law nobody has told.

They did: estimates that grew with the router's own queues relegated requests, which made the queues
longer. Of 70% of the targets, 28 were left as soon as clients superseded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cato_backend.scheduling import make_policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.scores import score
from cato_lab.simulation.fleet import REFERENCE, Fleet, Member
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import Arrival, MixWorkload, Poisson

_RATE = 26.0
"""Requests per second: past the knee of affinity with priorities, which is at some 20."""
_DURATION_S = 25.0
_MARGIN = 10.0
"""Percentage points: a run of some 600 requests has a standard error of about 2."""
_UNKNOWN = Fleet(mixed=(Member(profile=REFERENCE, told=None, max_running=64),) * 4)
_WORKLOAD = MixWorkload(Poisson(_RATE), _DURATION_S)

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, slots=True)
class _Superseding:
    """The mix, whose completions replace the session's older ones."""

    duration_s: float = _DURATION_S
    name: str = "superseding"

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        for arrival in _WORKLOAD.arrivals(seed):
            typed = arrival.task is Task.COMPLETION
            yield arrival._replace(document=arrival.session, supersede=True) if typed else arrival


def _goodput(policy: str, workload: MixWorkload | _Superseding) -> float:
    outcomes = Simulator(make_policy(policy), _UNKNOWN).run(workload, seed=1).outcomes
    return 100 * score(outcomes, _DURATION_S).overall.goodput


def test_supersession_feeds_no_estimate() -> None:
    assert _goodput("cato", _Superseding()) >= _goodput("cato", _WORKLOAD) - _MARGIN


def test_superseding_clients_are_served_as_well_as_by_affinity() -> None:
    rival = _goodput("prefix-affinity-priorities", _Superseding())
    assert _goodput("cato", _Superseding()) >= rival - _MARGIN
