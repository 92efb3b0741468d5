"""Windows hold whole steps: what is in them explains how long they took."""

from __future__ import annotations

import pytest

from cato_backend.prediction.law_filter import LawFilter
from cato_backend.prediction.step_windows import StepWindows, Window
from cato_backend.profile_files.profile import StepLaw
from tests.fast.prediction.streamed import ADDITIVE, MAX, Streamed, Wires, told

BUDGET = 2048
LAWS = pytest.mark.parametrize("law", [MAX, ADDITIVE], ids=["max", "additive"])


def collected(law: StepLaw, wires: Wires) -> list[Window]:
    """All windows of half a minute."""
    learned = told(law)
    seen: list[Window] = []
    learn = learned.learn

    def note(window: Window, now: float) -> None:
        seen.append(window)
        learn(window, now)

    learned.learn = note  # type: ignore[method-assign]
    Streamed(law, learned, wires).load(30, 3.0)
    return seen


@LAWS
@pytest.mark.parametrize("bunch", [1, 3, 10])
def test_the_law_of_the_replica_explains_every_window(law: StepLaw, bunch: int) -> None:
    wires = Wires(bunch=bunch)
    windows = collected(law, wires)
    true = LawFilter.of_prior(law, law.form, 2 * wires.way_s, 0.1, 0.1)
    off = [abs(true.seconds(window) / window.seconds - 1) for window in windows]
    assert len(windows) > 60
    assert sum(each > 0.05 for each in off) <= 0.05 * len(off)
    assert sorted(off)[len(off) // 2] < 0.015
    assert any(window.from_idle for window in windows)
    assert any(window.prefill_tokens and not window.from_idle for window in windows)


def stream(windows: StepWindows, name: str, times: list[float]) -> list[Window]:
    """Tokens of one stream, alone."""
    found = (windows.tokens(name, 1, at, 1, 100) for at in times)
    return [window for window in found if window is not None]


def test_the_first_token_of_an_idle_replica_is_one_window() -> None:
    windows = StepWindows(BUDGET)
    windows.dispatched("a", 500, 0, 1.0, idle=True)
    (window,) = stream(windows, "a", [1.25])
    assert window == Window(0.25, 1, 1, 500, 1, 100, 125_000, from_idle=True)


def test_a_long_prompt_takes_as_many_steps_as_its_chunks() -> None:
    windows = StepWindows(BUDGET)
    windows.dispatched("a", 5000, 0, 1.0, idle=True)
    (window,) = stream(windows, "a", [1.9])
    assert (window.steps, window.prefill_steps) == (3, 3)


def test_with_a_threshold_a_prompt_beside_others_takes_a_step_for_each_chunk() -> None:
    windows = StepWindows(BUDGET, 512)
    windows.dispatched("oldest", 100, 0, 0.0, idle=True)
    stream(windows, "oldest", [0.1, 0.12])
    windows.dispatched("long", 2000, 0, 0.121, idle=False)
    stream(windows, "oldest", [0.17, 0.22, 0.27])
    windows.tokens("long", 1, 0.3201, 2, 2200)
    (window,) = stream(windows, "oldest", [0.32, 0.34])
    assert (window.steps, window.prefill_steps, window.prefill_tokens) == (5, 4, 2000)


def test_others_that_came_meanwhile_make_a_long_prompt_no_window() -> None:
    windows = StepWindows(BUDGET, 512)
    windows.dispatched("long", 5000, 0, 1.0, idle=True)
    windows.dispatched("short", 10, 0, 1.1, idle=False)
    assert windows.tokens("short", 1, 1.5, 1, 10) is None
    assert windows.tokens("long", 1, 1.9, 2, 5010) is None


def test_on_a_busy_replica_the_wait_for_a_first_token_is_no_window() -> None:
    windows = StepWindows(BUDGET)
    windows.dispatched("a", 500, 0, 1.0, idle=False)
    assert stream(windows, "a", [9.0]) == []


def test_what_the_engine_counted_goes_before_what_was_expected() -> None:
    windows = StepWindows(BUDGET)
    windows.dispatched("a", 500, 0, 1.0, idle=True)
    windows.counted("a", 100, 400)
    (window,) = stream(windows, "a", [1.1])
    assert (window.prefill_tokens, window.attention) == (100, 100 * 450)


def test_decoding_is_told_in_stretches_of_several_steps() -> None:
    windows = StepWindows(BUDGET)
    windows.dispatched("a", 10, 0, 0.0, idle=False)
    found = stream(windows, "a", [0.02 * step for step in range(1, 40)])
    assert [window.steps for window in found] == [8.0] * len(found)
    assert found
    assert all(window.seconds == pytest.approx(0.16) for window in found)


def test_a_silence_between_two_answers_is_in_no_window() -> None:
    windows = StepWindows(BUDGET)
    for name, begins in (("a", 0.0), ("b", 100.0)):
        windows.dispatched(name, 10, 0, begins, idle=False)
        found = stream(windows, name, [begins + 0.02 * step for step in range(1, 20)])
        windows.left(name)
        assert found
        assert all(window.seconds < 0.2 for window in found)


def test_a_stream_that_was_not_sent_through_us_is_ignored() -> None:
    windows = StepWindows(BUDGET)
    assert stream(windows, "unknown", [1.0, 1.02, 1.04]) == []
    windows.left("unknown")
    windows.counted("unknown", 5, 5)


def test_the_stream_that_counts_is_one_that_had_a_token_when_the_window_began() -> None:
    """Two streams bring ten tokens at once, in turns. When one ends, the other has been owed some
    for a while: these are of steps before."""
    windows = StepWindows(BUDGET)
    for name in "ab":
        windows.dispatched(name, 10, 0, 0.0, idle=False)
    windows.tokens("a", 1, 0.02, 1, 10)
    windows.tokens("b", 1, 0.12, 2, 20)
    windows.tokens("a", 10, 0.22, 2, 30)
    windows.left("a")
    found = [windows.tokens("b", 10, 0.32 + 0.2 * step, 1, 40) for step in range(5)]
    whole = [window for window in found if window is not None]
    assert whole
    assert all(window.seconds / window.steps == pytest.approx(0.02) for window in whole)
