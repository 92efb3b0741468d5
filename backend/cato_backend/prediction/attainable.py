"""By how much a configured target must be longer for an idle replica to meet it."""

from __future__ import annotations

from typing import NamedTuple

from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.requests import Target
from cato_backend.wire.headers import Task

_HEADROOM = 1.25
"""Times what a usual request takes alone: less could be met by an idle replica only."""
_LEAST = 1.05
"""A target that is short by less counts as configured."""
_LONGEST_COMPLETION_S = 1.0
"""The longest target of a completion: after that a person has typed on, whatever the hardware."""
_USUAL = {
    Task.COMPLETION: Work(uncached=400, output=20),
    Task.GENERATION: Work(uncached=500, output=250),
    Task.SUMMARIZATION: Work(uncached=500, output=60),
    Task.TRANSLATION: Work(uncached=500, output=400),
    Task.AGENT: Work(uncached=2000, output=400),
}
"""A usual request of each class, nothing of it cached; in tokens."""


class Stretch(NamedTuple):
    """What a class needs on one kind of replica."""

    times: float
    """Of the configured target; 1 where it can be met."""
    alone_s: float
    """A usual request on an idle replica."""


def stretch(service: ServiceModel, overhead_s: float, task: Task, target: Target) -> Stretch:
    """Return by how much the target of a class is to be longer on such a replica.

    `overhead_s`: of every request, beside what the law tells.
    """
    work, idle = _USUAL[task], ReplicaState()
    if target.e2e_s is not None:
        alone_s = overhead_s + service.e2e_s(idle, work)
    else:
        alone_s = overhead_s + service.ttft_s(idle, work)
    times = _HEADROOM * alone_s / target.budget_s
    if task is Task.COMPLETION:
        times = min(times, _LONGEST_COMPLETION_S / target.budget_s)
    return Stretch(round(times, 2) if times > _LEAST else 1.0, alone_s)
