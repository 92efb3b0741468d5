"""Plans a whole task for a model: whether the model can do it, its steps, and their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from cato_backend.errors import InvalidRequest
from cato_backend.tasks.documentation import add_documentation, compose_documentation
from cato_backend.tasks.families import EMBEDDED
from cato_backend.tasks.plans import Abilities, PlanBuilder, TaskPlan, TaskStep
from cato_backend.tasks.summaries import add_overview, add_summary, compose_summaries
from cato_backend.tasks.translations import add_translations, compose_translations
from cato_backend.tasks.unit_answers import (
    add_code,
    add_explanation,
    compose_code,
    compose_explanations,
)
from cato_backend.wire.estimates import translation_tokens
from cato_backend.wire.tasks import TaskKind, TaskRequest, Unit

_OF_BASE_MODELS = (TaskKind.SUMMARIZATION, TaskKind.TRANSLATION)
"""These a model that continues text can do: a docstring at its place, and the same code again."""
NEEDED = (
    "a model that follows instructions is needed, such as qwen2.5-coder-0.5b-instruct: run "
    "`cato model fetch qwen2.5-coder-0.5b-instruct`, then serve it with `cato serve --model auto`"
)


def is_served(kind: TaskKind, model: Abilities) -> bool:
    """Return whether the task is served at all with this model."""
    return model.follows_instructions or kind in _OF_BASE_MODELS


def useful_kinds(model: Abilities) -> tuple[TaskKind, ...]:
    """Return the tasks whose results are worth having.

    The embedded model's summaries and translations are not, though they are served to who asks.
    """
    if model.follows_instructions:
        return tuple(TaskKind)
    return () if model.fim == EMBEDDED else _OF_BASE_MODELS


def what_is_needed(kind: TaskKind, model: Abilities) -> str:
    """Return why the model cannot do the task, and what to do."""
    what = "the embedded model" if model.fim == EMBEDDED else "a base model"
    return f"{what} cannot do {kind}: {NEEDED}"


def with_expected_tokens(planned: TaskPlan, expected: Sequence[int | None]) -> TaskPlan:
    """Return the plan with the expected output tokens of each step whose answer is shown.

    `expected`: of each unit. The steps of one unit share them.
    """
    shown = Counter(step.unit for step in planned.steps if step.is_shown)

    def tokens_of(step: TaskStep) -> int | None:
        tokens = None if step.unit is None or not step.is_shown else expected[step.unit]
        return None if tokens is None else max(1, tokens // shown[step.unit])

    steps = tuple(replace(step, expected_tokens=tokens_of(step)) for step in planned.steps)
    return replace(planned, steps=steps)


def expected_tokens(
    request: TaskRequest, given: int | None, chars_per_token: float
) -> tuple[int | None, ...]:
    """Return the expected output tokens of each unit, None where it is not known.

    The client's estimate for the unit counts first, then the unit's share of `given`, the client's
    estimate for the whole task. Without both, a translation's length is taken from its source, and
    that of other answers is not known.
    """
    rest = _share_per_char(request.units, given)
    return tuple(_expected(request, unit, rest, chars_per_token) for unit in request.units)


def _share_per_char(units: Sequence[Unit], given: int | None) -> float | None:
    """Tokens per character of those units that have no estimate of their own."""
    if given is None:
        return None
    chars = sum(len(unit.text) for unit in units if unit.output_tokens is None)
    left = given - sum(unit.output_tokens or 0 for unit in units)
    return left / chars if left > 0 and chars else None


def _expected(
    request: TaskRequest, unit: Unit, share_per_char: float | None, chars_per_token: float
) -> int | None:
    if unit.output_tokens is not None:
        return unit.output_tokens
    if share_per_char is not None:
        return max(1, round(len(unit.text) * share_per_char))
    if request.task is not TaskKind.TRANSLATION:
        return None
    target = request.target_language or ""
    return translation_tokens(len(unit.text), chars_per_token, request.language, target)


def plan(request: TaskRequest, model: Abilities) -> TaskPlan:
    """Return what the task takes of this model.

    Raises InvalidRequest for a task that it cannot do, or naming a unit that does not fit it.
    """
    if not is_served(request.task, model):
        raise InvalidRequest(f"task: {what_is_needed(request.task, model)}", param="task")
    match request.task:
        case TaskKind.SUMMARIZATION:
            return _summarization(request, model)
        case TaskKind.TRANSLATION:
            return _translation(request, model)
        case TaskKind.DOCUMENTATION:
            return _documentation(request, model)
        case TaskKind.EXPLANATION:
            return _explanation(request, model)
        case TaskKind.TESTS | TaskKind.FIX | TaskKind.GENERATION:
            return _code(request, model)


def _summarization(request: TaskRequest, model: Abilities) -> TaskPlan:
    builder = PlanBuilder()
    numbers = [add_summary(builder, request, index, model) for index in _indexes(request)]
    overview = add_overview(builder, request, numbers, model)
    return builder.plan(partial(compose_summaries, request, numbers=numbers, overview=overview))


def _translation(request: TaskRequest, model: Abilities) -> TaskPlan:
    builder = PlanBuilder()
    numbers = add_translations(builder, request, model)
    return builder.plan(partial(compose_translations, request, numbers=numbers, model=model))


def _documentation(request: TaskRequest, model: Abilities) -> TaskPlan:
    builder = PlanBuilder()
    numbers = [add_documentation(builder, request, index, model) for index in _indexes(request)]
    return builder.plan(partial(compose_documentation, request, numbers=numbers))


def _explanation(request: TaskRequest, model: Abilities) -> TaskPlan:
    builder = PlanBuilder()
    numbers = [add_explanation(builder, request, index, model) for index in _indexes(request)]
    return builder.plan(partial(compose_explanations, request, numbers=numbers))


def _code(request: TaskRequest, model: Abilities) -> TaskPlan:
    builder = PlanBuilder()
    numbers = [add_code(builder, request, index, model) for index in _indexes(request)]
    return builder.plan(partial(compose_code, request, numbers=numbers))


def _indexes(request: TaskRequest) -> range:
    return range(len(request.units))
