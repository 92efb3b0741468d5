"""Engines that run fewer requests at once than the router was told to send them."""

from __future__ import annotations

from dataclasses import replace

from cato_backend.profile_files.profile import EngineLimits, Profile
from cato_backend.scheduling import make_policy
from cato_backend.wire.headers import Task
from cato_lab.scoring.scores import Score, score
from cato_lab.simulation.fleet import REFERENCE, Fleet, Member
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import MixWorkload, Poisson

SENT = 64
"""What the gateway sends to a replica of which it knows nothing."""
RATE, DURATION_S = 10.0, 40.0


def played(limits: EngineLimits, scrape_s: float) -> Score:
    """Two replicas that are asked for more than they can do, mostly generations."""
    true: Profile = replace(REFERENCE, limits=limits)
    fleet = Fleet(mixed=(Member(true, None, SENT),) * 2, scrape_s=scrape_s)
    shares = {Task.COMPLETION: 0.5, Task.GENERATION: 0.4, Task.SUMMARIZATION: 0.1}
    workload = MixWorkload(Poisson(RATE), DURATION_S, shares)
    outcomes = Simulator(make_policy("cato"), fleet).run(workload, seed=1).outcomes
    return score(outcomes, DURATION_S, warmup_s=15.0)


def test_completions_do_not_wait_inside_the_engine_once_its_metrics_are_read() -> None:
    limits = EngineLimits(kv_tokens=12_000, max_model_len=8000)
    without, with_looks = played(limits, 0.0), played(limits, 2.0)
    for found in (without, with_looks):
        assert found.classes[Task.COMPLETION].counted > 50
        assert found.classes[Task.GENERATION].counted > 50
    gained = [
        with_looks.classes[task].goodput - without.classes[task].goodput
        for task in (Task.COMPLETION, Task.GENERATION)
    ]
    assert min(gained) > 0.2, gained


def test_an_engines_slots_show_in_its_streams() -> None:
    """Without its metrics; all requests were late in the engine's own queue otherwise."""
    found = played(EngineLimits(max_num_seqs=12), 0.0)
    assert found.classes[Task.COMPLETION].goodput > 0.6
    assert found.classes[Task.GENERATION].goodput > 0.4


def test_an_engine_with_room_for_all_is_used_as_before() -> None:
    """No limit is taken for one that is none."""
    limits = EngineLimits(max_num_seqs=256)
    without, with_looks = played(limits, 0.0), played(limits, 2.0)
    assert with_looks.overall.met == without.overall.met
