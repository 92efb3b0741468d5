"""How long a task has lately taken once it ran: the plainest prediction there is."""

from __future__ import annotations

from cato_backend.wire.headers import Task

_SMOOTHING = 0.1


class RecentService:
    """Mean seconds from dispatch to the promised event, by model and task."""

    def __init__(self) -> None:
        self._means: dict[tuple[str, Task], float] = {}

    def observe(self, model: str, task: Task, seconds: float) -> None:
        """A request of this task took so long from dispatch to its first or last token."""
        mean = self._means.get((model, task), seconds)
        self._means[model, task] = mean + _SMOOTHING * (seconds - mean)

    def predict(self, model: str, task: Task) -> float | None:
        """Seconds, or None before the first observation."""
        return self._means.get((model, task))
