"""The request of a whole task, its time limits, and its endings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cato_backend.errors import RequestError, UnusableAnswer
from cato_backend.prediction.workflows import PlannedCall, expected_s, stage_budget_s
from cato_backend.runtime.calls import Call
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.runtime import Runtime
from cato_backend.runtime.task_events import Estimate
from cato_backend.tasks.plans import Abilities, ModelCall, TaskPlan, TaskStep
from cato_backend.tasks.reading import AnswerProblem
from cato_backend.wire.headers import CancelReason
from cato_backend.wire.tasks import TaskKind, TaskRequest

LEAST_BUDGET_S = 0.001


class EndedByClient(Exception):
    """The client ended the task by name; its connection stays."""

    def __init__(self, reason: CancelReason) -> None:
        super().__init__(reason)
        self.reason = reason


class MakeCall(Protocol):
    """Makes the call of a step. Raises RequestError."""

    async def __call__(
        self, planned: ModelCall, number: int, due: float, least_context: int
    ) -> Call:
        """Return the call of the step with this number.

        `due`: the time at which its answer must be whole; `least_context`: tokens of context that
        it has proved to need. Raises RequestError.
        """
        ...


@dataclass(frozen=True, slots=True)
class TaskTerms:
    """A task with its arrival, its deadline and its model of the catalog."""

    task: TaskRequest
    arrival: float
    budget_s: float
    model: str
    expected_tokens: int | None = None
    """The client's own estimate for the whole result."""


def abilities_of(catalog: Catalog, name: str) -> Abilities:
    """Return what a plan must know of a model of the catalog."""
    facts = catalog.facts(name)
    return Abilities(
        fim=facts.fim.format,
        follows_instructions=facts.instruct.follows,
        takes_system_message=facts.takes_system_message,
        max_model_len=facts.max_model_len,
        chars_per_token=catalog.ratio(name).mean,
    )


def unusable(problem: AnswerProblem) -> UnusableAnswer:
    """Return the error of an answer that cannot be used twice in a row."""
    what = {
        AnswerProblem.EMPTY: "with nothing",
        AnswerProblem.REPETITION: "with a text that repeats itself without end",
    }
    return UnusableAnswer(
        f"the model answered {what[problem]}, twice; a larger model, or one that follows "
        "instructions, may do better"
    )


def defective(
    kind: TaskKind, problem: AnswerProblem | None, max_tokens: int
) -> UnusableAnswer | None:
    """Return the error of code that is shown but must not be applied; None for other answers.

    `max_tokens`: the limit of the answer.
    """
    is_code = kind in (TaskKind.TESTS, TaskKind.FIX, TaskKind.GENERATION)
    if is_code and problem is AnswerProblem.CUT_OFF:
        return UnusableAnswer(
            f"the answer was cut off at its limit of {max_tokens} tokens; ask for a smaller part"
        )
    if kind is TaskKind.FIX and problem is AnswerProblem.NO_BLOCK:
        return UnusableAnswer("the model answered with text instead of a block of fixed code")
    return None


def outcome_of(error: RequestError | EndedByClient) -> str:
    """Return how a task that has no result is counted."""
    if isinstance(error, RequestError):
        return error.code
    return "enough" if error.reason is CancelReason.ENOUGH else "cancelled"


def failed_units(
    steps: Sequence[TaskStep], problems: Mapping[int, RequestError]
) -> dict[int, RequestError]:
    """Return the first problem of each unit by its index, from those of the steps."""
    failed: dict[int, RequestError] = {}
    for number, problem in sorted(problems.items()):
        unit = steps[number].unit
        if unit is not None:
            failed.setdefault(unit, problem)
    return failed


def unit_results(
    task: TaskRequest, texts: Sequence[str], failed: Mapping[int, RequestError]
) -> list[dict[str, Any]]:
    """Return what became of each unit: its name, its text, and why it, or a part of it, failed."""
    results: list[dict[str, Any]] = []
    for index, (unit, text) in enumerate(zip(task.units, texts, strict=True)):
        problem = failed.get(index)
        if problem is None and not text.strip():
            problem = unusable(AnswerProblem.EMPTY)
        said = None if problem is None else {"code": problem.code, "message": problem.message}
        results.append({"name": unit.name or unit.kind, "text": text, "problem": said})
    return results


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
        """Return the seconds that the stage may take from now on."""
        left_s = max(LEAST_BUDGET_S, self._terms.budget_s - self.spent_s)
        times = self._runtime.predictions.call_times(self._model)
        return stage_budget_s(self._planned()[stage:], left_s, times)

    def estimate(self) -> Estimate:
        """Return when the whole will probably be there."""
        times = self._runtime.predictions.call_times(self._model)
        return Estimate(self.spent_s + expected_s(self._planned(), times), self._terms.budget_s)

    def _planned(self) -> list[list[PlannedCall]]:
        """Return the calls of each stage, as far as they are known beforehand."""
        kind, ratio = self._terms.task.task.slo_class, self._runtime.catalog.ratio(self._model)
        steps = self._plan.steps
        return [
            [
                PlannedCall(
                    kind,
                    ratio.tokens(steps[n].prompt_chars),
                    steps[n].max_tokens,
                    steps[n].expected_tokens,
                )
                for n in numbers
            ]
            for numbers in self._plan.stages
        ]
