"""What was learned is kept as values, and begun from the next time."""

from __future__ import annotations

import math

import pytest

from cato_backend.prediction.kept_law import KeptLaw, is_sound
from cato_backend.prediction.learned_law import LearnedLaw
from cato_backend.profile_files.profile import StepLaw
from cato_lab.simulation.fleet import REFERENCE

LAW = StepLaw("additive", base=0.030, per_new_token=2e-4)
"""Of the replica; the reference has two thirds of its base, and half of the rest."""
DAY_S = 86_400.0


def taught() -> LearnedLaw:
    """By prompts on the idle replica, each with some decode steps behind it."""
    learned, now = LearnedLaw(REFERENCE), 0.0
    for number, tokens in enumerate((64, 1000, 300, 2000) * 5):
        name = str(number)
        learned.dispatched(name, tokens, 0, now, idle=True)
        now += LAW.seconds(tokens, 1, tokens) + 0.004
        for _ in range(18):
            learned.tokens(name, 1, now, 1, tokens)
            now += LAW.seconds(1, 1, tokens)
        learned.left(name)
        now += 1.0
    return learned


def seconds(learned: LearnedLaw) -> float:
    return learned.belief.law.seconds(500, 1, 500)


def test_it_begins_where_it_ended() -> None:
    before = taught()
    after = LearnedLaw(None, before.kept(100.0)._replace(age_s=0.0))
    assert seconds(after) == pytest.approx(seconds(before))
    assert after.belief.overhead_s == pytest.approx(before.belief.overhead_s)
    assert after.belief.law.form == before.belief.law.form
    assert after.all_windows == before.windows
    assert after.windows == 0


def test_what_was_learned_goes_before_the_profile() -> None:
    after = LearnedLaw(REFERENCE, taught().kept(100.0))
    assert seconds(after) == pytest.approx(LAW.seconds(500, 1, 500), rel=0.1)


def test_the_older_it_is_the_less_sure_it_is() -> None:
    kept = taught().kept(0.0)
    spreads = [
        LearnedLaw(None, kept._replace(age_s=age_s)).belief.spread
        for age_s in (0.0, DAY_S, 7 * DAY_S, 30 * DAY_S)
    ]
    assert spreads == sorted(spreads)
    assert spreads[0] >= taught().belief.spread
    assert spreads[0] < 0.15
    assert spreads[-1] > 0.4
    assert LearnedLaw(None, kept._replace(age_s=math.inf)).belief.spread == spreads[-1]


def test_its_age_is_that_of_the_last_window() -> None:
    learned = taught()
    age_s = learned.age_s(1000.0)
    assert age_s is not None
    assert 900 < age_s < 1000
    assert learned.kept(1000.0).age_s == age_s
    assert LearnedLaw(None).age_s(5.0) is None


def with_filter(kept: KeptLaw, **changed: object) -> KeptLaw:
    first, second = kept.filters
    return kept._replace(filters=(first._replace(**changed), second))  # type: ignore[arg-type]


def test_what_cannot_be_is_not_begun_from() -> None:
    kept = taught().kept(0.0)
    assert is_sound(kept)
    rows = kept.filters[0].covariance
    assert not is_sound(kept._replace(speaks=2))
    assert not is_sound(with_filter(kept, log_terms=(0.0,) * 6))
    assert not is_sound(with_filter(kept, log_terms=(math.nan,) * 7))
    assert not is_sound(with_filter(kept, log_terms=(1e9,) * 7))
    assert not is_sound(with_filter(kept, noise=0.0))
    assert not is_sound(with_filter(kept, covariance=rows[:6]))
    assert not is_sound(with_filter(kept, covariance=((-1.0,) * 7, *rows[1:])))
