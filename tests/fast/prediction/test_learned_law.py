"""The step law of a replica, learned from the token times of its streams."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.prediction.step_windows import Window
from cato_backend.profile_files.profile import Form, StepLaw
from cato_lab.simulation.fleet import Slowdown
from tests.fast.prediction.streamed import (
    ADDITIVE,
    MAX,
    Streamed,
    Wires,
    error,
    scaled,
    told,
)

RATE = 3.0
"""Requests a second: a third of what the replicas bear."""
LAWS = pytest.mark.parametrize("law", [MAX, ADDITIVE], ids=["max", "additive"])


@LAWS
@pytest.mark.parametrize("factor", [None, 0.5, 1.0, 2.0], ids=["nothing", "half", "true", "double"])
def test_ten_seconds_of_load_show_the_law_whatever_was_told(
    law: StepLaw, factor: float | None
) -> None:
    learned = told(None if factor is None else scaled(law, factor))
    replica = Streamed(law, learned)
    before = error(learned, law)
    replica.load(10, RATE)
    assert error(learned, law) < 0.05
    assert learned.belief.law.form == law.form
    assert learned.belief.spread < 0.1
    assert factor == 1.0 or before > 0.2


@LAWS
def test_told_the_other_form_it_finds_the_right_one(law: StepLaw) -> None:
    other: Form = "additive" if law.form == "max" else "max"
    terms = (law.base, law.weights, law.per_new_token, law.per_sequence, law.per_kv_token)
    learned = told(StepLaw(other, *terms, law.per_attention))
    Streamed(law, learned, noise=0.03).load(30, RATE)
    assert error(learned, law) < 0.08


@LAWS
def test_a_few_requests_to_an_idle_replica_show_its_law(law: StepLaw) -> None:
    learned = told(None)
    replica = Streamed(law, learned)
    for prompt in (16, 256, 1024, 64, 2000, 512):
        replica.alone(prompt, 20)
    assert error(learned, law) < 0.15


def test_the_way_in_and_out_is_no_part_of_the_law() -> None:
    """20 ms surround each step of 16 ms that an idle replica takes."""
    learned = told(MAX)
    replica = Streamed(MAX, learned, Wires(way_s=0.010))
    for prompt in (16, 1000, 300, 2000) * 3:
        replica.alone(prompt, 20)
    assert error(learned, MAX) < 0.05
    assert learned.belief.overhead_s == pytest.approx(0.020, rel=0.3)


# -- what changes ------------------------------------------------------------------------------


@LAWS
@pytest.mark.parametrize("speed", [0.5, 0.7, 1.5])
def test_it_follows_a_replica_that_changes_within_ten_seconds(law: StepLaw, speed: float) -> None:
    """A neighbour on the GPU, or the end of one."""
    learned = told(law)
    replica = Streamed(law, learned, slowdowns=(Slowdown(20.0, 90.0, speed),))
    replica.load(20, RATE)
    assert error(learned, law) < 0.05
    replica.load(10, RATE)
    assert error(learned, scaled(law, 1 / speed)) < 0.05


def test_a_replica_that_hangs_teaches_nothing() -> None:
    """That is for ejection to see, not for the law: waiting is not computing."""
    learned = told(MAX)
    replica = Streamed(MAX, learned)
    replica.load(10, RATE)
    law, windows = learned.belief.law, learned.windows
    replica.hang()
    for _ in range(60):
        replica.send(600, 30)
        replica.run(replica.now + 1.0)
    assert learned.windows <= windows + 1
    assert error(learned, law) < 0.02


@LAWS
def test_waiting_in_the_engines_queue_is_not_taken_for_computing(law: StepLaw) -> None:
    """Three times the load that it bears: prompts wait for seconds."""
    learned = told(law)
    replica = Streamed(law, learned)
    replica.load(20, 9 * RATE, prompt=1500)
    assert error(learned, law) < 0.08


# -- what disturbs -----------------------------------------------------------------------------


@LAWS
@pytest.mark.parametrize(
    "wires",
    [
        Wires(jitter_s=0.003),
        Wires(bunch=4),
        Wires(bunch=10),
        Wires(stalls=0.02),
        Wires(way_s=0.005, jitter_s=0.001, bunch=3, stalls=0.005),
    ],
    ids=["jitter", "four at once", "ten at once", "stalls", "all of it"],
)
def test_what_lies_between_engine_and_gateway_does_not_bend_the_law(
    law: StepLaw, wires: Wires
) -> None:
    learned = told(None)
    Streamed(law, learned, wires, noise=0.05).load(15, RATE)
    assert error(learned, law) < 0.1


@LAWS
def test_prompts_that_are_computed_in_many_chunks(law: StepLaw) -> None:
    learned = told(None)
    replica = Streamed(law, learned)
    replica.load(4, 2.0)
    for _ in range(5):
        replica.send(12_000, 20)
        replica.load(4, 1.5)
    assert error(learned, law) < 0.05


@LAWS
def test_prompts_whose_clients_leave_before_the_first_token(law: StepLaw) -> None:
    """Whether they were computed by then is not known."""
    learned = told(law)
    replica = Streamed(law, learned)
    for number in range(40):
        name = replica.send((200, 800, 2500)[number % 3], 30)
        replica.load(0.15, RATE)
        if number % 2:
            replica.abort(name)
        replica.load(0.35, RATE)
    assert error(learned, law) < 0.05


# -- whatever comes ----------------------------------------------------------------------------

windows = st.builds(
    Window,
    seconds=st.floats(0.0, 1e3),
    steps=st.integers(1, 500).map(float),
    prefill_steps=st.just(0.0),
    prefill_tokens=st.just(0.0),
    sequences=st.floats(0.0, 512.0),
    kv_tokens=st.floats(0.0, 1e7),
    attention=st.just(0.0),
    from_idle=st.booleans(),
) | st.builds(
    Window,
    seconds=st.floats(0.0, 1e3),
    steps=st.just(20.0),
    prefill_steps=st.floats(1.0, 20.0),
    prefill_tokens=st.floats(1.0, 2e5),
    sequences=st.floats(0.0, 512.0),
    kv_tokens=st.floats(0.0, 1e7),
    attention=st.floats(0.0, 1e10),
)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(windows, st.floats(0.0, 1e4)), max_size=60),
    st.sampled_from([None, MAX, ADDITIVE, StepLaw("additive", 0.001)]),
)
def test_terms_stay_positive_and_the_belief_finite(
    seen: list[tuple[Window, float]], prior: StepLaw | None
) -> None:
    learned, now = told(prior), 0.0
    for window, after_s in seen:
        now += after_s
        learned.learn(window, now)
        _assert_sound(learned)


def _assert_sound(learned: LearnedLaw) -> None:
    belief = learned.belief
    law = belief.law
    terms = (law.base, law.weights, law.per_new_token, law.per_sequence, law.per_kv_token)
    assert all(0 < term < 1e6 for term in (*terms, law.per_attention, belief.overhead_s))
    assert 0 <= belief.spread < 10
    assert 0 < belief.noise <= 0.5
    for form_of in learned.kept(0.0).filters:
        assert all(row[index] >= 0 for index, row in enumerate(form_of.covariance))


def test_one_window_of_nonsense_does_not_move_a_law_that_is_known() -> None:
    learned = told(MAX)
    replica = Streamed(MAX, learned)
    replica.load(20, RATE)
    for seconds in (1e-6, 500.0):
        learned.learn(Window(seconds, 8, 0, 0, 4, 3200, 0.0), replica.now)
    assert error(learned, MAX) < 0.25
    replica.load(5, RATE)
    assert error(learned, MAX) < 0.05
