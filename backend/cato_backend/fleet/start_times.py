"""How long replicas of a model take until they serve: to load, or to wake."""

from __future__ import annotations

from collections import deque
from statistics import median

from cato_backend.metrics import Metrics

_KEPT = 5
LOAD, WAKE = "load", "wake"


class StartTimes:
    """The last few of each kind; `load_s` and `wake_s` count until one was measured."""

    def __init__(self, model: str, metrics: Metrics, load_s: float, wake_s: float = 5.0) -> None:
        self._model = model
        self._gauge = metrics.replica_start
        self._expected = {LOAD: load_s, WAKE: wake_s}
        self._seen: dict[str, deque[float]] = {}

    def record(self, kind: str, seconds: float) -> None:
        """Record a start."""
        self._seen.setdefault(kind, deque(maxlen=_KEPT)).append(seconds)
        self._gauge.labels(self._model, kind).set(self.usual_s(kind))

    def usual_s(self, kind: str) -> float:
        """Return the median of the last few, or what is expected, in seconds."""
        seen = self._seen.get(kind)
        return median(seen) if seen else self._expected[kind]

    def is_measured(self, kind: str) -> bool:
        """Return whether one was measured."""
        return kind in self._seen
