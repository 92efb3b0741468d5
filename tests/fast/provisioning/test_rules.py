"""The baselines, and the seam."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cato_backend.errors import ConfigError
from cato_backend.provisioning import Bounds, FleetState, Provisioner, make_rule, rule_names
from cato_backend.provisioning.rules.base import StaticPeak
from cato_lab.scaling_rules.reactive import QueueLength, QueueLengthSettings, RayTtft
from cato_lab.scaling_rules.remaining_slack import RemainingSlack
from tests.fast.provisioning.traffic import PROFILE, answer, request


def test_static_never_moves() -> None:
    assert StaticPeak(5).wanted(FleetState(2, waiting=100), 0.0).count == 5


def test_queue_length_waits_for_its_delays() -> None:
    rule = QueueLength(QueueLengthSettings(4, 10.0, upscale_delay_s=5.0, downscale_delay_s=60.0))
    busy = [rule.wanted(FleetState(1, waiting=6, running=10), float(t)).count for t in range(10)]
    assert busy[:5] == [1] * 5
    assert busy[-1] == 4
    idle = [rule.wanted(FleetState(4), 100.0 + t).count for t in range(80)]
    assert idle[50] == 4
    assert idle[-1] == 1


def test_ray_ttft_moves_by_one_and_rests() -> None:
    rule = RayTtft()
    for number in range(20):
        rule.answered(answer(request(number, 0.0), ttft_s=0.4, met=False), 1.0)
    assert rule.wanted(FleetState(2), 2.0).count == 3
    assert rule.wanted(FleetState(3), 3.0).count == 3
    assert rule.wanted(FleetState(3), 40.0).count == 4
    assert rule.wanted(FleetState(4), 100.0).count == 3


def test_remaining_slack_grows_by_a_factor_when_late() -> None:
    rule = RemainingSlack()
    for number in range(20):
        asked = request(number, 0.0)
        rule.arrived(asked, 0.0)
        rule.answered(answer(asked, ttft_s=0.5, met=False), 1.0)
    assert rule.wanted(FleetState(4, running=4), 2.0).count > 5


def test_remaining_slack_shrinks_when_idle() -> None:
    rule = RemainingSlack()
    assert rule.wanted(FleetState(4), 2.0).count == 3


def test_unknown_names_and_bounds_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"provisioning\.rule: got 'nonsense'"):
        make_rule("nonsense", PROFILE)
    with pytest.raises(ConfigError, match="max-replicas: got 1, expected at least 2"):
        Bounds(2, 1)
    with pytest.raises(ConfigError, match="min-replicas: got -1"):
        Bounds(-1, 1)


def test_settings_are_the_rules_own() -> None:
    assert make_rule("static", PROFILE, {"replicas": 3}).wanted(FleetState(1), 0.0).count == 3
    with pytest.raises(
        ConfigError, match=r"settings\.patience_s: got 9, expected one of .*target_"
    ):
        make_rule("queue-length", PROFILE, {"patience_s": 9})
    with pytest.raises(ConfigError, match=r"settings\.pause_s: got -1, expected a number, 0"):
        make_rule("ray-ttft", PROFILE, {"pause_s": -1})
    with pytest.raises(ConfigError, match=r"settings\.goodput: got 95, expected a share"):
        make_rule("planned", PROFILE, {"goodput": 95})


@given(
    name=st.sampled_from(sorted(rule_names())),
    states=st.lists(
        st.builds(
            FleetState,
            ready=st.integers(0, 8),
            starting=st.integers(0, 4),
            waiting=st.integers(0, 500),
            running=st.integers(0, 500),
        ),
        max_size=20,
    ),
    least=st.integers(1, 4),
    more=st.integers(0, 5),
)
@settings(max_examples=50)
def test_no_rule_leaves_the_bounds(
    name: str, states: list[FleetState], least: int, more: int
) -> None:
    provisioner = Provisioner(PROFILE.model, Bounds(least, least + more), make_rule(name, PROFILE))
    for second, state in enumerate(states):
        plan = provisioner.decide(state, 10.0 * second)
        assert least <= plan.target <= least + more
        assert plan.why
