"""A whole task as calls of a model: one call for each unit, their answers joined in order."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.tasks.calls import Abilities, ModelCall
from cato_backend.tasks.summaries import clean_summary, summary_call
from cato_backend.tasks.translations import clean_translation, translation_call
from cato_backend.wire.headers import Task
from cato_backend.wire.tasks import TaskRequest


def plan(request: TaskRequest, model: Abilities) -> tuple[ModelCall, ...]:
    """The calls, in the order of the units. Raises InvalidRequest naming a unit that cannot be
    served by this model."""
    if request.task is Task.SUMMARIZATION:
        return tuple(summary_call(request, unit, model) for unit in request.units)
    return tuple(
        translation_call(request, unit, model, f"units[{index}].text")
        for index, unit in enumerate(request.units)
    )


def finish(request: TaskRequest, texts: Sequence[str]) -> str:
    """The task's result from the raw answers, one for each call of the plan, in its order."""
    if request.task is Task.TRANSLATION:
        target = request.target_language or ""
        parts = [clean_translation(text, request.language, target) for text in texts]
    elif len(request.units) == 1:
        parts = [clean_summary(text) for text in texts]
    else:
        pairs = zip(request.units, texts, strict=True)
        parts = [f"**{unit.name or unit.kind}**: {clean_summary(text)}" for unit, text in pairs]
    return "\n\n".join(part for part in parts if part)
