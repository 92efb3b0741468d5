"""The targets of a model's replicas, as their speed becomes known."""

from __future__ import annotations

import logging

import pytest

from cato_backend.config.targets import TargetsConfig
from cato_backend.gateway.hardware_targets import HardwareTargets
from cato_backend.gateway.headers import parse_headers
from cato_backend.profile_files.profile import EngineLimits, Profile, StepLaw
from cato_backend.scheduling import Limits, ReplicaDraining, ReplicaUp, Scheduler, make_policy
from cato_backend.wire.headers import Task

CONFIGURED = TargetsConfig()


def profile(step_s: float) -> Profile:
    law = StepLaw("additive", base=step_s, per_new_token=step_s / 20)
    return Profile("coder", "emulated", law, EngineLimits(max_num_seqs=8))


class Hardware:
    """Replicas of one model, and their targets at a time that the test sets."""

    def __init__(self, *profiles: Profile | None) -> None:
        self.now = 0.0
        self.scheduler = scheduler = Scheduler(make_policy("cato"), Limits())
        for number, each in enumerate(profiles):
            scheduler.handle(ReplicaUp(f"r{number}", "coder", 8, each), 0.0)
        self.targets = HardwareTargets(CONFIGURED, lambda: scheduler.replicas, lambda: self.now)

    def budget_s(self, task: Task) -> float:
        return self.targets.of_model("coder").of(task).budget_s


def test_what_is_not_known_has_the_configured_targets() -> None:
    hardware = Hardware(None)
    for task in Task:
        assert hardware.budget_s(task) == CONFIGURED.of(task).budget_s
    assert hardware.targets.of_model("another").of(Task.SUMMARIZATION).e2e_s == 3.0


def test_the_fastest_replica_of_a_model_counts() -> None:
    alone = Hardware(profile(0.2)).budget_s(Task.SUMMARIZATION)
    assert alone > 3.0
    assert Hardware(profile(0.2), profile(0.4)).budget_s(Task.SUMMARIZATION) == alone
    assert Hardware(profile(0.2), profile(0.01)).budget_s(Task.SUMMARIZATION) == 3.0


def test_a_replica_that_takes_no_more_requests_does_not_count() -> None:
    hardware = Hardware(profile(0.2), profile(0.01))
    assert hardware.budget_s(Task.SUMMARIZATION) == 3.0
    hardware.scheduler.handle(ReplicaDraining("r1"), 1.0)
    hardware.now = 10.0
    assert hardware.budget_s(Task.SUMMARIZATION) > 3.0


def test_worthless_after_is_extended_with_the_target() -> None:
    target = Hardware(profile(0.2)).targets.of_model("coder").of(Task.COMPLETION)
    assert target.ttft_s == 1.0
    assert target.worthless_after_s == 2.0


def test_the_time_between_tokens_is_longer_with_that_to_the_first() -> None:
    slow = Hardware(profile(0.2)).targets.of_model("coder")
    target = slow.of(Task.GENERATION)
    assert target.tpot_s == 0.1
    # A client that asks for what `/v1/models` tells has the same pace.
    named = parse_headers({"x-slo-ttft-ms": str(1000 * target.budget_s)}, "")
    assert named.of_task(Task.GENERATION, slow).target.tpot_s == 0.1
    assert Hardware(profile(0.01)).targets.of_model("coder").of(Task.GENERATION).tpot_s == 0.04


def test_a_target_that_a_client_names_stays() -> None:
    slow = Hardware(profile(0.2)).targets.of_model("coder")
    named = parse_headers({"x-slo-e2e-ms": "1500"}, "")
    assert named.of_task(Task.SUMMARIZATION, slow).target.e2e_s == 1.5
    assert parse_headers({}, "").of_task(Task.SUMMARIZATION, slow).target.e2e_s != 3.0


def test_the_log_says_it_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    hardware = Hardware(profile(0.2))
    for hardware.now in (0.0, 10.0, 20.0):
        hardware.budget_s(Task.COMPLETION)
    (record,) = caplog.records
    assert "coder: targets on this hardware: " in record.message
    assert "summarization 3 s -> " in record.message
