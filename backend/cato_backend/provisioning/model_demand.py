"""The demand on one model by class: rates, budgets, and service times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp

from cato_backend.provisioning.worth import ClassDemand
from cato_backend.requests import Request
from cato_backend.scheduling import (
    Cancelled,
    Decision,
    Dispatch,
    Event,
    Finished,
    Progressed,
    Reject,
    Submitted,
)
from cato_backend.wire.headers import Task

_MEMORY_S = 120.0
_SMOOTHING = 0.2


@dataclass(slots=True)
class _Seen:
    """The demand of one class."""

    count: float = 0.0
    """Requests, weighted by their age: the older, the less."""
    at: float = 0.0
    budget_s: float = 0.0
    service_s: float = 0.0

    def arrived(self, budget_s: float, now: float) -> None:
        self.count, self.at = self.counted(now) + 1, now
        self.budget_s = budget_s if not self.budget_s else _mean(self.budget_s, budget_s)

    def served(self, seconds: float) -> None:
        self.service_s = seconds if not self.service_s else _mean(self.service_s, seconds)

    def counted(self, now: float) -> float:
        return self.count * exp(-(now - self.at) / _MEMORY_S)


class ModelDemand:
    """Measures the demand on one model from the scheduler's events and decisions."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._seen: dict[Task, _Seen] = {}
        self._open: dict[str, tuple[Request, float | None]] = {}
        """Requests under way, and when each was sent to a replica."""

    def observe(self, event: Event, decisions: Iterable[Decision], now: float) -> None:
        """Record one event and its decisions."""
        match event:
            case Submitted(request) if request.model == self._model and not request.warm:
                self._open[request.id] = (request, None)
                seen = self._seen.setdefault(request.task, _Seen())
                seen.arrived(request.target.budget_s, now)
            case Progressed(request_id) if event.tokens:
                self._answered(request_id, now, is_whole=False)
            case Finished(request_id):
                self._answered(request_id, now, is_whole=True)
                self._open.pop(request_id, None)
            case Cancelled(request_id):
                self._open.pop(request_id, None)
            case _:
                pass
        for decision in decisions:
            if isinstance(decision, Reject):
                self._open.pop(decision.request_id, None)
            elif isinstance(decision, Dispatch) and decision.request_id in self._open:
                request, _ = self._open[decision.request_id]
                self._open[decision.request_id] = (request, now)

    def demands(self, waiting: Mapping[Task, int], now: float) -> tuple[ClassDemand, ...]:
        """Return the demand of each class, with its queued requests."""
        return tuple(
            ClassDemand(
                seen.counted(now) / _MEMORY_S, seen.budget_s, seen.service_s, waiting.get(task, 0)
            )
            for task, seen in self._seen.items()
        )

    def _answered(self, request_id: str, now: float, *, is_whole: bool) -> None:
        """Record the moment that a request's target is about."""
        request, sent = self._open.get(request_id, (None, None))
        if request is None or sent is None or (request.target.e2e_s is not None) is not is_whole:
            return
        self._seen[request.task].served(now - sent)
        self._open[request_id] = (request, None)


def _mean(old: float, new: float) -> float:
    return old + _SMOOTHING * (new - old)
