"""What a whole task is asked to do, and how it can end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cato_backend.errors import RequestError, UnusableAnswer
from cato_backend.runtime.calls import Call
from cato_backend.runtime.catalog import Catalog
from cato_backend.tasks.calls import Abilities, ModelCall
from cato_backend.tasks.plans import TaskStep
from cato_backend.tasks.reading import AnswerProblem
from cato_backend.wire.headers import CancelReason
from cato_backend.wire.tasks import TaskKind, TaskRequest


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
        """`number`: of the step; `due`: the time at which its answer must be whole;
        `least_context`: tokens of context that it has proved to need."""
        ...


@dataclass(frozen=True, slots=True)
class TaskTerms:
    """What is asked: the task, when, by when, and for which model of the catalog."""

    task: TaskRequest
    arrival: float
    budget_s: float
    model: str
    expected_tokens: int | None = None
    """The client's own estimate for the whole result."""


def abilities_of(catalog: Catalog, name: str) -> Abilities:
    """Returns what a plan must know of a model of the catalog."""
    facts = catalog.facts(name)
    return Abilities(
        fim=facts.fim.format,
        follows_instructions=facts.instruct.follows,
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
    """Returns the error of code that is shown but must not be applied; None for other answers.

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
    """How a task that has no result is counted."""
    if isinstance(error, RequestError):
        return error.code
    return "enough" if error.reason is CancelReason.ENOUGH else "cancelled"


def failed_units(
    steps: Sequence[TaskStep], problems: Mapping[int, RequestError]
) -> dict[int, RequestError]:
    """Returns by the index of its unit the first problem of each, from those of the steps."""
    failed: dict[int, RequestError] = {}
    for number, problem in sorted(problems.items()):
        unit = steps[number].unit
        if unit is not None:
            failed.setdefault(unit, problem)
    return failed


def unit_results(
    task: TaskRequest, texts: Sequence[str], failed: Mapping[int, RequestError]
) -> list[dict[str, Any]]:
    """Returns what became of each unit: its name, its text, and why it, or a part of it, failed."""
    results: list[dict[str, Any]] = []
    for index, (unit, text) in enumerate(zip(task.units, texts, strict=True)):
        problem = failed.get(index)
        if problem is None and not text.strip():
            problem = unusable(AnswerProblem.EMPTY)
        said = None if problem is None else {"code": problem.code, "message": problem.message}
        results.append({"name": unit.name or unit.kind, "text": text, "problem": said})
    return results
