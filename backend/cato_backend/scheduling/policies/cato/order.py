"""The order of the queue: shortest job first, relegated requests last, fair within a session.

By latest start, an overloaded fleet serves what is about to be late, and is
late for the next as well. Arrival plus a multiple of the own service (QoServe's order without its
deadline) met 1 to 4 points more past the knee: four tasks, bursts, developers typing. The engine's
own queue is short, and keeps the latest start.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

from cato_backend.requests import Origin, Request
from cato_backend.scheduling.policies.cato.lengths import Lengths
from cato_backend.scheduling.policies.cato.options import CatoOptions
from cato_backend.scheduling.queue import Key, Waiting
from cato_backend.wire.headers import Task

_URGENT, _ASSUMED_LATE, _RELEGATED, _WARM = 0.0, 1.0, 2.0, 3.0
_SHARE_OF_BUDGET = 0.25
"""Each request that a session has live beyond its first of a class lets it stand back so much."""
ATTAINABLE = 1.5
"""Times the pace of a sequence alone on a replica: no target counts that is shorter."""
RELEGATED_PRIORITY = 1_000_000_000
"""Engine priorities from here on belong to work that can no longer meet its target."""


class Pace(NamedTuple):
    """The cost of requests on a replica, or its mean over several replicas; in seconds."""

    prompt_token_s: float
    """For each uncached prompt token, in a prompt of usual length."""
    token_s: float
    """For each output token."""
    lone_token_s: float
    """For each output token of a sequence that has a replica for itself; of some, the fastest."""


class Order:
    """Keys and engine priorities; counts each session's live requests of a class."""

    def __init__(self, options: CatoOptions, lengths: Lengths) -> None:
        self._options = options
        self._lengths = lengths
        self._live: Counter[tuple[str, str, Task]] = Counter()

    def enter(self, request: Request) -> None:
        """Record that a request is live."""
        self._live[_whose(request.origin, request.task)] += 1

    def leave(self, request: Request) -> None:
        """Record that a request is over."""
        whose = _whose(request.origin, request.task)
        self._live[whose] -= 1
        if self._live[whose] <= 0:
            del self._live[whose]

    def key(self, waiting: Waiting, pace: Pace) -> Key:
        """Return the place of a request that has just come."""
        request = waiting.request
        if request.warm:
            return (_WARM, request.arrival)
        return (_URGENT, self._by_work(request, pace) + self._standing_back(request))

    def relegated(self, request: Request, pace: Pace) -> Key:
        """Return the place of a request that can hardly be met any more.

        Undeclared requests precede what is certainly late, because they wait for no idle replica.
        They are ordered shortest first: the sooner they are served, the more of them meet their
        real target, which may be longer than the assumed one.
        """
        if request.declared:
            return (_RELEGATED, request.arrival)
        return (_ASSUMED_LATE, self._by_work(request, pace))

    def _by_work(self, request: Request, pace: Pace) -> float:
        if not self._options.work_order:
            return request.arrival
        return request.arrival + self._options.work_weight * self._service_s(request, pace)

    def is_relegated(self, request: Request, chance: float, now: float) -> bool:
        """Return whether the request goes behind all that can still be met."""
        late = request.deadline <= now or chance < self._options.least_chance
        return self._options.relegation and late

    def priority(self, request: Request, pace: Pace, *, relegated: bool) -> int:
        """For the engine: the latest start in milliseconds."""
        if not self._options.engine_priority:
            return 0
        latest = int(1000 * self._latest_start(request, pace))
        return latest + (RELEGATED_PRIORITY if relegated or request.warm else 0)

    def deferred_until(self, waiting: Waiting, pace: Pace) -> float:
        """Until then an agent's turn, for which no person waits, loses nothing by waiting.

        There is time for several times its service. It also waits no longer than it may be queued.
        """
        request = waiting.request
        if request.task is not Task.AGENT:
            return -math.inf
        due = min(request.deadline, waiting.expires)
        return due - self._options.slack * self._service_s(request, pace)

    def _latest_start(self, request: Request, pace: Pace) -> float:
        return request.deadline - self._service_s(request, pace)

    def _service_s(self, request: Request, pace: Pace) -> float:
        """To the promised event, on a replica with nothing else to prefill."""
        prefill_s = pace.prompt_token_s * request.prompt_tokens
        if request.target.e2e_s is None:
            return prefill_s
        return prefill_s + pace.token_s * self._lengths.of(request).median

    def _standing_back(self, request: Request) -> float:
        if not self._options.fairness or not request.origin.session:
            return 0.0
        others = self._live[_whose(request.origin, request.task)] - 1
        return max(0, others) * _SHARE_OF_BUDGET * request.target.budget_s


def is_typed(request: Request) -> bool:
    """Return whether the next key will probably take it back."""
    return request.supersede and request.task is Task.COMPLETION


def _whose(origin: Origin, task: Task) -> tuple[str, str, Task]:
    return (origin.tenant, origin.session, task)
