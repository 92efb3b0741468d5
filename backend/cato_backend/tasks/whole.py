"""A whole task as calls of a model: which steps it takes, and what their answers make together."""

from __future__ import annotations

from functools import partial

from cato_backend.errors import InvalidRequest
from cato_backend.tasks.calls import Abilities
from cato_backend.tasks.code_answers import add_code, compose_code
from cato_backend.tasks.documentation import add_documentation, compose_documentation
from cato_backend.tasks.explanations import add_explanation, compose_explanations
from cato_backend.tasks.overviews import add_overview
from cato_backend.tasks.plans import PlanBuilder, TaskPlan
from cato_backend.tasks.summaries import add_summary, compose_summaries
from cato_backend.tasks.translations import add_translations, compose_translations
from cato_backend.tasks.usefulness import is_served, what_is_needed
from cato_backend.wire.tasks import TaskKind, TaskRequest


def plan(request: TaskRequest, model: Abilities) -> TaskPlan:
    """Returns what the task takes of this model.

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
