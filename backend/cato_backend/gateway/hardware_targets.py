"""The configured targets. They are extended where the hardware cannot meet them even without load.

A target that no replica can meet tells nothing: all requests are late, and the policy takes them
all for lost. What a client names itself stays as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from cato_backend.config.targets import TargetsConfig
from cato_backend.fleet.profiles import ENOUGH_WINDOWS
from cato_backend.gateway.headers import scaled_tpot_s
from cato_backend.prediction.service import ReplicaState, ServiceModel, Work
from cato_backend.requests import Target
from cato_backend.scheduling import ReplicaLoad
from cato_backend.wire.headers import Task

_REFRESH_S = 5.0
_KNOWN_SPREAD = 0.5
"""Relative error of a learned law up to which its times count."""
_WORTH_TELLING = 0.2
"""Relative change of a target from which the log says it again."""

log = logging.getLogger(__name__)
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


class ModelTargets:
    """Default targets of the classes on the replicas of one model."""

    def __init__(self, configured: TargetsConfig, stretches: Mapping[Task, Stretch]) -> None:
        self.stretches = stretches
        self._targets = {
            task: _longer(configured.of(task), stretches[task].times) for task in stretches
        }

    def of(self, task: Task) -> Target:
        """Return the target of a class."""
        return self._targets[task]


class HardwareTargets:
    """The targets by model. The fastest replica of a model counts."""

    def __init__(
        self,
        configured: TargetsConfig,
        replicas: Callable[[], Iterable[ReplicaLoad]],
        clock: Callable[[], float],
    ) -> None:
        self._replicas = replicas
        self._clock = clock
        self._models: dict[str, ModelTargets] = {}
        self._told: dict[tuple[str, Task], float] = {}
        self.configure(configured)

    def configure(self, configured: TargetsConfig) -> None:
        """Take other configured targets from now on."""
        self._configured = configured
        self._plain = ModelTargets(configured, dict.fromkeys(Task, Stretch(1.0, 0.0)))
        self._refreshed_at = float("-inf")

    def of_model(self, model: str) -> ModelTargets:
        """Return the targets on the replicas of a model: as configured while it is not known."""
        now = self._clock()
        if now - self._refreshed_at > _REFRESH_S:
            self._refreshed_at = now
            self._refresh()
        return self._models.get(model, self._plain)

    def _refresh(self) -> None:
        found: dict[str, Mapping[Task, Stretch]] = {}
        for load in self._replicas():
            if _counts(load):
                found[load.model] = self._least(found.get(load.model, {}), load)
        self._models = {name: ModelTargets(self._configured, each) for name, each in found.items()}
        for model, stretches in found.items():
            self._tell(model, stretches)

    def _least(self, others: Mapping[Task, Stretch], load: ReplicaLoad) -> Mapping[Task, Stretch]:
        """Return the least that each class needs on this replica or on `others`.

        What another meets as configured is not computed: a fleet may have a thousand replicas.
        """
        belief = load.learned.belief
        service, overhead_s = ServiceModel(belief.law, load.learned.limits), belief.overhead_s
        least = dict(others)
        for task in Task:
            other = others.get(task)
            if other is None or other.times > 1.0:
                own = stretch(service, overhead_s, task, self._configured.of(task))
                least[task] = own if other is None else min(own, other)
        return least

    def _tell(self, model: str, stretches: Mapping[Task, Stretch]) -> None:
        """Log what has changed."""
        changed: list[str] = []
        for task, (times, alone_s) in stretches.items():
            told = self._told.get((model, task), 1.0)
            if abs(times - told) > _WORTH_TELLING * told or (times == 1.0 and told != 1.0):
                self._told[model, task] = times
                target = self._configured.of(task).budget_s
                changed.append(
                    f"{task} {target:g} s -> {target * times:.3g} s (alone {alone_s:.2g} s)"
                )
        if changed:
            log.warning("%s: targets on this hardware: %s", model, "; ".join(changed))


def _counts(load: ReplicaLoad) -> bool:
    """Return whether it takes requests and enough is known of its speed: told or learned."""
    if load.draining and not load.asleep:
        return False
    learned = load.learned
    is_learned = learned.all_windows >= ENOUGH_WINDOWS or learned.belief.spread <= _KNOWN_SPREAD
    return load.profile is not None or is_learned


def _longer(target: Target, times: float) -> Target:
    if times == 1.0:
        return target
    tpot_s = None if target.tpot_s is None else scaled_tpot_s(target.tpot_s, times)
    return replace(target.scaled(times), tpot_s=tpot_s)


class Stretch(NamedTuple):
    """The time that a class needs on one kind of replica."""

    times: float
    """Multiple of the configured target; 1 where it can be met."""
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
