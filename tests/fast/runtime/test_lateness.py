"""Why a request was late."""

from __future__ import annotations

import pytest

from cato_backend.runtime.lateness import CallTiming, LateCause, why_late, why_refused

TARGET_S = 0.25


@pytest.mark.parametrize(
    ("timing", "cause", "text"),
    [
        pytest.param(
            CallTiming(TARGET_S, promised_s=0.6, queue_s=0.5, predicted_s=0.1),
            LateCause.QUEUE,
            "500 ms in the queue, 100 ms in the engine; the target is 250 ms",
            id="it waited",
        ),
        pytest.param(
            CallTiming(TARGET_S, promised_s=0.9, queue_s=0.01, predicted_s=0.1),
            LateCause.PREDICTION,
            "the engine took 890 ms, 100 ms were predicted; the target is 250 ms",
            id="the engine was slower than predicted",
        ),
        pytest.param(
            CallTiming(TARGET_S, promised_s=1.2, queue_s=0.0, predicted_s=1.3),
            LateCause.TARGET,
            "the engine was predicted to need 1.3 s; the target is 250 ms",
            id="too much for its target",
        ),
        pytest.param(
            CallTiming(TARGET_S, promised_s=0.6, queue_s=0.4, attempts=2, predicted_s=0.1),
            LateCause.MOVED,
            "attempt 2 began after 400 ms, because an earlier one failed; the target is 250 ms",
            id="an attempt failed",
        ),
        pytest.param(
            CallTiming(1.0, promised_s=0.6, queue_s=0.4, tpot_s=0.062, tpot_target_s=0.04),
            LateCause.PACE,
            "62 ms between two tokens; the target is 40 ms",
            id="it began in time",
        ),
        pytest.param(
            CallTiming(TARGET_S, promised_s=0.6, queue_s=0.0),
            LateCause.QUEUE,
            "0 ms in the queue, 600 ms in the engine; the target is 250 ms",
            id="nothing was predicted",
        ),
    ],
)
def test_what_cost_most_is_named(timing: CallTiming, cause: LateCause, text: str) -> None:
    assert why_late(timing) == (cause, text)


def test_both_together_name_the_larger() -> None:
    """Neither the wait nor the error alone made it late."""
    waited = CallTiming(TARGET_S, promised_s=0.5, queue_s=0.2, predicted_s=0.2)
    slower = CallTiming(TARGET_S, promised_s=0.5, queue_s=0.1, predicted_s=0.2)
    assert why_late(waited).cause is LateCause.QUEUE
    assert why_late(slower).cause is LateCause.PREDICTION


def test_a_refusal_is_told_with_its_code_and_its_wait() -> None:
    assert why_refused("expired", 0.5) == (LateCause.REFUSED, "refused with expired after 500 ms")
