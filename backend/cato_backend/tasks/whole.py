"""A whole task as calls of a model: one for each unit, then, for a file's summary, one overview."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.tasks.calls import Abilities, ModelCall
from cato_backend.tasks.summaries import clean_summary, summary_call
from cato_backend.tasks.translations import clean_translation, translation_call
from cato_backend.wire.headers import Task
from cato_backend.wire.tasks import TaskRequest

_NO_SUMMARY = "*the model gave no usable summary*"


def plan(request: TaskRequest, model: Abilities) -> tuple[ModelCall, ...]:
    """The calls of the first stage, in the order of the units; none needs another's answer.

    Raises InvalidRequest naming a unit that cannot be served by this model.
    """
    if request.task is Task.SUMMARIZATION:
        return tuple(summary_call(request, unit, model) for unit in request.units)
    return tuple(
        translation_call(request, unit, model, f"units[{index}].text")
        for index, unit in enumerate(request.units)
    )


def results(request: TaskRequest, texts: Sequence[str]) -> tuple[str, ...]:
    """What each unit's raw answer says, in the order of the units."""
    if request.task is Task.TRANSLATION:
        target = request.target_language or ""
        return tuple(clean_translation(text, request.language, target) for text in texts)
    if len(request.units) == 1:
        return tuple(clean_summary(text) for text in texts)
    pairs = zip(request.units, texts, strict=True)
    return tuple(
        f"**{unit.name or unit.kind}**: {clean_summary(text) or _NO_SUMMARY}"
        for unit, text in pairs
    )


def finish(request: TaskRequest, texts: Sequence[str], overview: str = "") -> str:
    """The task's result from the raw answers of the plan's calls and of the overview's."""
    parts = [*results(request, texts), clean_summary(overview)]
    return "\n\n".join(part for part in parts if part)
