"""How long a whole task will take, and what each of its stages may."""

from __future__ import annotations

from cato_backend.prediction.workflows import PlannedCall, expected_s, stage_budget_s
from cato_backend.runtime.runtime import Runtime
from cato_backend.runtime.task_events import Estimate
from cato_backend.runtime.task_terms import TaskTerms
from cato_backend.tasks.plans import TaskPlan

LEAST_BUDGET_S = 0.001


class TaskTimes:
    """The times of one task, from what its model's calls have taken so far."""

    def __init__(self, runtime: Runtime, terms: TaskTerms, plan: TaskPlan, model: str) -> None:
        self._runtime = runtime
        self._terms = terms
        self._plan = plan
        self._model = model

    @property
    def spent_s(self) -> float:
        """Seconds since the task's arrival."""
        return self._runtime.clock() - self._terms.arrival

    def stage_budget_s(self, stage: int) -> float:
        """Returns the seconds that the stage may take from now on."""
        left_s = max(LEAST_BUDGET_S, self._terms.budget_s - self.spent_s)
        times = self._runtime.predictions.times(self._model)
        return stage_budget_s(self._planned()[stage:], left_s, times)

    def estimate(self) -> Estimate:
        """Returns when the whole will probably be there."""
        times = self._runtime.predictions.times(self._model)
        return Estimate(self.spent_s + expected_s(self._planned(), times), self._terms.budget_s)

    def _planned(self) -> list[list[PlannedCall]]:
        """The calls of each stage, as far as they are known beforehand."""
        kind, ratio = self._terms.task.task.slo_class, self._runtime.catalog.ratio(self._model)
        steps = self._plan.steps
        return [
            [
                PlannedCall(kind, ratio.tokens(steps[n].prompt_chars), steps[n].max_tokens)
                for n in numbers
            ]
            for numbers in self._plan.stages
        ]
