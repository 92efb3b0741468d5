"""Probes teach a replica's law, and nothing else of the scheduler knows of them."""

from __future__ import annotations

import pytest

from cato_backend.requests import Request, Target
from cato_backend.scheduling import (
    ProbeEnded,
    ProbeProgressed,
    ProbeSent,
    Progressed,
    ReplicaDown,
    ReplicaUp,
    Scheduler,
    Submitted,
    make_policy,
)
from cato_backend.scheduling.replica import ReplicaLoad
from cato_backend.wire.headers import Task
from cato_lab.simulation.fleet import REFERENCE


@pytest.fixture
def scheduler() -> Scheduler:
    scheduler = Scheduler(make_policy("cato"))
    scheduler.handle(ReplicaUp("r", "m", 8), 0.0)
    return scheduler


def load_of(scheduler: Scheduler) -> ReplicaLoad:
    (load,) = scheduler.replicas
    return load


def prompt_probe(scheduler: Scheduler, name: str, tokens: int, seconds: float, now: float) -> None:
    scheduler.handle(ProbeSent("r", name, tokens, 0, alone=True), now)
    scheduler.handle(ProbeProgressed("r", name, 1, tokens, 0), now + seconds)
    for step in range(1, 17):
        step_s = REFERENCE.law.seconds(1, 1, tokens)
        scheduler.handle(ProbeProgressed("r", name, 1), now + seconds + step * step_s)
    scheduler.handle(ProbeEnded("r", name), now + seconds + 16 * 0.021)


def request(name: str, now: float) -> Request:
    return Request(name, Task.COMPLETION, "m", now, Target(ttft_s=1.0), 500, 16)


def test_they_teach_the_law(scheduler: Scheduler) -> None:
    for number, tokens in enumerate((16, 512, 1024, 2048) * 3):
        seconds = REFERENCE.law.seconds(tokens, 1, tokens) + 0.004
        prompt_probe(scheduler, str(number), tokens, seconds, float(number))
    law = load_of(scheduler).learned.belief.law
    for tokens in (500, 1500):
        assert law.seconds(tokens, 1, tokens) == pytest.approx(0.02 + 1e-4 * tokens, rel=0.15)


def test_they_take_no_slot_and_decide_nothing(scheduler: Scheduler) -> None:
    for number in range(20):
        assert scheduler.handle(ProbeSent("r", str(number), 64, 0, alone=False), 1.0) == []
    load = load_of(scheduler)
    assert (len(load.probes), load.running, load.pending_prefill, load.kv_tokens) == (20, 0, 0, 0)
    assert scheduler.load("m") == 0.0
    scheduler.handle(Submitted(request("a", 1.0)), 1.0)
    assert load.running == 1


def test_a_request_beside_a_probe_does_not_count_as_sent_to_an_idle_replica(
    scheduler: Scheduler,
) -> None:
    """What the probe still computes is none of its time."""
    scheduler.handle(ProbeSent("r", "probe", 2048, 0, alone=True), 1.0)
    scheduler.handle(Submitted(request("a", 1.0)), 1.0)
    scheduler.handle(ProbeEnded("r", "probe"), 1.0)
    scheduler.handle(Progressed("a", 1, 1, 500, 0), 1.3)
    assert load_of(scheduler).learned.windows == 0


def test_a_probe_beside_a_request_does_not_either(scheduler: Scheduler) -> None:
    scheduler.handle(Submitted(request("a", 1.0)), 1.0)
    prompt_probe(scheduler, "probe", 16, 0.3, 1.0)
    assert load_of(scheduler).learned.windows == 0


def test_events_of_probes_that_are_gone_are_ignored(scheduler: Scheduler) -> None:
    scheduler.handle(ProbeProgressed("r", "never sent", 1, 5, 0), 1.0)
    scheduler.handle(ProbeEnded("r", "never sent"), 1.0)
    scheduler.handle(ProbeSent("r", "probe", 16, 0, alone=True), 1.0)
    scheduler.handle(ReplicaDown("r"), 1.1)
    scheduler.handle(ProbeProgressed("r", "probe", 1, 16, 0), 1.2)
    scheduler.handle(ProbeEnded("r", "probe"), 1.2)
    assert scheduler.replicas == ()
