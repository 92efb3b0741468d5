"""Which whole tasks a model can do, and what is needed for the others."""

from __future__ import annotations

from cato_backend.tasks.calls import Abilities
from cato_backend.tasks.families import EMBEDDED
from cato_backend.wire.tasks import TaskKind

_OF_BASE_MODELS = (TaskKind.SUMMARIZATION, TaskKind.TRANSLATION)
"""These a model that continues text can do: a docstring at its place, and the same code again."""
NEEDED = (
    "a model that follows instructions is needed, such as qwen2.5-coder-0.5b-instruct: run "
    "`cato model fetch qwen2.5-coder-0.5b-instruct`, then serve it with `cato serve --model auto`"
)


def is_served(kind: TaskKind, model: Abilities) -> bool:
    """Whether the task is served at all with this model."""
    return model.follows_instructions or kind in _OF_BASE_MODELS


def useful_kinds(model: Abilities) -> tuple[TaskKind, ...]:
    """Returns the tasks whose results are worth having.

    The embedded model's summaries and translations are not, though they are served to who asks.
    """
    if model.follows_instructions:
        return tuple(TaskKind)
    return () if model.fim == EMBEDDED else _OF_BASE_MODELS


def what_is_needed(kind: TaskKind, model: Abilities) -> str:
    """Returns why the model cannot do the task, and what to do."""
    what = "the embedded model" if model.fim == EMBEDDED else "a base model"
    return f"{what} cannot do {kind}: {NEEDED}"
