"""How punctual the emulator is: where it was late, the machine was measured, not the model."""

from __future__ import annotations

from collections import deque
from statistics import quantiles

from prometheus_client import CollectorRegistry, Histogram

_BUCKETS_S = (
    0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0,
)  # fmt: skip
_REMEMBERED = 100_000
"""Steps; about half an hour at 20 ms."""


class Lateness:
    """From when a step was due to when its tokens were written, in seconds."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._last: deque[float] = deque(maxlen=_REMEMBERED)
        self._histogram = Histogram(
            "cato_emulate_step_lateness_seconds",
            "How much later than due a step's tokens were written",
            buckets=_BUCKETS_S,
            registry=registry,
        )

    def observe(self, seconds: float) -> None:
        """One step; less than 0 means early, by the event loop's rounding."""
        late = max(0.0, seconds)
        self._last.append(late)
        self._histogram.observe(late)

    def summary(self) -> str:
        """For the person who ends the emulator."""
        if len(self._last) < 2:
            return "no steps"
        percentiles = [value * 1000 for value in quantiles(self._last, n=100)]
        p50, p99 = percentiles[49], percentiles[98]
        return f"step lateness p50 {p50:.2f} ms, p99 {p99:.2f} ms over {len(self._last)} steps"
