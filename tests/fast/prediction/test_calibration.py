"""The plan of a calibration: few prompts, in time, as long as the replica can bear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cato_backend.prediction.calibration import LONGEST_S, Calibration, Probe, ProbeBounds
from cato_backend.prediction.learned_law import LawBelief
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.profile_files.profile import EngineLimits, StepLaw

LIMITS = EngineLimits()
BOUNDS = ProbeBounds(LIMITS, longest_prompt=16_000, most_at_once=64)
FAST = StepLaw("max", 0.004, 0.010, 5e-5, 5e-5)
SLOW = StepLaw("additive", 0.050, 0.0, 4e-3)


def belief(law: StepLaw, spread: float = 0.1) -> LawBelief:
    return LawBelief(law, overhead_s=0.004, spread=spread, noise=0.05)


def played(
    bounds: ProbeBounds, law: StepLaw, told: LawBelief
) -> tuple[list[tuple[Probe, ...]], float]:
    """All rounds, and when the last has ended, on a replica of this law."""
    calibration, now = Calibration(bounds, 0.0), 0.0
    service = ServiceModel(law, bounds.limits)
    rounds: list[tuple[Probe, ...]] = []
    while probes := calibration.next_round(told, now):
        rounds.append(probes)
        first, others = probes[0], probes[1:]
        uncached = first.prompt_tokens - first.known_tokens
        pending = sum(probe.prompt_tokens for probe in others)
        ahead = ReplicaState(pending_prefill=pending, unstarted=len(others))
        work = Work(uncached, first.known_tokens, first.output_tokens)
        for probe in probes:
            calibration.cached_tokens(probe, service.ttft_s(ahead, work))
        now += service.e2e_s(ahead, work)
    return rounds, now


def test_lengths_differ_one_prompt_is_repeated_and_some_decode_side_by_side() -> None:
    rounds, ended = played(BOUNDS, FAST, belief(FAST))
    alone = [each[0] for each in rounds if len(each) == 1]
    assert len({probe.prompt_tokens for probe in alone}) >= 5
    assert max(probe.prompt_tokens for probe in alone) == 2048 + 32
    (repeated,) = [probe for probe in alone if probe.known_tokens]
    assert repeated.known_tokens == 2048
    assert any(len(each) > 4 for each in rounds)
    beside = [each for each in rounds if each[-1].beside]
    assert beside
    assert all(len(each) == 2 for each in beside)
    assert sum(map(len, rounds)) <= 40
    assert ended < LONGEST_S


def test_on_a_slow_replica_prompts_stay_short() -> None:
    """At 4 ms a token, what comes meanwhile waits for a quarter of a second at most."""
    rounds, ended = played(BOUNDS, SLOW, belief(SLOW))
    assert max(probe.prompt_tokens for each in rounds for probe in each) <= 64
    assert ended <= LONGEST_S


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_at_once_than_the_replica_takes(most: int) -> None:
    rounds, _ = played(ProbeBounds(LIMITS, 16_000, most), FAST, belief(FAST))
    assert max(map(len, rounds)) == most


@given(
    st.floats(1e-4, 0.3),
    st.floats(1e-7, 0.05),
    st.floats(0.0, 2.0),
    st.integers(1, 40_000),
    st.sampled_from([128, 512, 2048, 8192]),
)
def test_bounds_hold_whatever_is_believed(
    base: float, per_token: float, spread: float, longest: int, budget: int
) -> None:
    law = StepLaw("additive", base, per_new_token=per_token)
    limits = EngineLimits(max_num_batched_tokens=budget, max_num_seqs=64)
    rounds, ended = played(ProbeBounds(limits, longest, 8), law, belief(law, spread))
    assert ended <= LONGEST_S
    names = [probe.name for each in rounds for probe in each]
    assert len(names) == len(set(names))
    for probe in (probe for each in rounds for probe in each):
        assert 1 <= probe.prompt_tokens <= longest
        assert 0 <= probe.known_tokens < probe.prompt_tokens


@pytest.mark.parametrize("base", [0.2, 0.443, 3.0])
def test_however_slow_it_is_believed_to_be_something_is_sent(base: float) -> None:
    """Otherwise what was learned on a busy day would be believed for ever."""
    calibration = Calibration(BOUNDS, 0.0)
    slow = belief(StepLaw("additive", base))
    (first,) = calibration.next_round(slow, 0.0)
    assert first.output_tokens == {0.2: 9, 0.443: 5, 3.0: 2}[base]
    (again,) = calibration.next_round(slow, 0.1)
    assert again.output_tokens >= first.output_tokens


def test_one_of_which_nothing_can_be_learned_is_not_asked_without_end() -> None:
    calibration, sent, now = Calibration(BOUNDS, 0.0), 0, 0.0
    slow = belief(StepLaw("additive", 0.443))
    while calibration.next_round(slow, now):
        sent, now = sent + 1, now + 0.001
    assert 2 < sent <= 12


def test_a_replica_that_is_as_slow_as_believed_is_asked_no_more() -> None:
    calibration = Calibration(BOUNDS, 0.0)
    slow = belief(StepLaw("additive", 0.443))
    assert calibration.next_round(slow, 0.0)
    assert not calibration.next_round(slow, 2.2)


def test_nothing_is_sent_once_the_time_is_over() -> None:
    calibration = Calibration(BOUNDS, began=10.0)
    assert calibration.next_round(belief(FAST), 10.0)
    assert not calibration.next_round(belief(FAST), 10.0 + LONGEST_S)


@pytest.mark.parametrize(
    ("took_s", "cached"), [(0.01, 2048), (0.06, None), (0.095, 0), (0.2, 0), (0.049, 2048)]
)
def test_whether_a_repeated_prompt_was_cached_shows_in_its_first_token(
    took_s: float, cached: int | None
) -> None:
    """A server may have no prefix cache, and does not tell. Cold, the prompt took 100 ms."""
    calibration = Calibration(BOUNDS, 0.0)
    cold = Probe("a", 1, 2048, 0, 1)
    assert calibration.cached_tokens(cold, 0.1) == 0
    assert calibration.cached_tokens(Probe("b", 1, 2080, 2048, 1), took_s) == cached
