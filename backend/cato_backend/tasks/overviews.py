"""The last stage of summarizing a file: what its units' summaries say together."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.tasks.asking import chat, room_for_text
from cato_backend.tasks.calls import Abilities, ModelCall
from cato_backend.tasks.languages import language_of
from cato_backend.tasks.markers import neutralized
from cato_backend.tasks.plans import Answers, PlanBuilder, TaskStep
from cato_backend.tasks.summaries import compose_summaries, named_summaries
from cato_backend.wire.tasks import TaskRequest

OVERVIEW_TOKENS = 160
_SUMMARY_CHARS = 320
"""Of one unit, in the prompt of an overview."""
_FEWEST_UNITS = 3
"""Fewer summaries speak for themselves."""
_SYSTEM = (
    "You explain source code to programmers. You get the summaries of the units of one file. Say "
    "in two to four sentences what the file as a whole is for and how its units work together. "
    "No heading, no list, no code, no preamble."
)


def add_overview(
    builder: PlanBuilder, request: TaskRequest, numbers: Sequence[int], model: Abilities
) -> int | None:
    """Adds the step that answers the overview of the units, whose summaries have these numbers;
    None where the model or so few units give none."""
    if len(numbers) < _FEWEST_UNITS or not model.follows_instructions:
        return None

    def ask(answers: Answers) -> ModelCall:
        return _overview_call(request, answers, numbers, model)

    prompt_chars = _SUMMARY_CHARS * len(numbers)
    step = TaskStep(ask, prompt_chars, OVERVIEW_TOKENS, unit=None, needs=tuple(numbers))
    return builder.add(2, step)


def _overview_call(
    request: TaskRequest, answers: Answers, numbers: Sequence[int], model: Abilities
) -> ModelCall:
    """Of summaries that are too long together, the tail is cut."""
    texts = compose_summaries(request, answers, numbers).units
    room = room_for_text(model, OVERVIEW_TOKENS, _SYSTEM)
    text = neutralized("\n".join(named_summaries(request, texts)))[:room]
    title = language_of(request.language).title
    question = f"The units of a {title} file and what they do:\n\n{text}"
    return chat(_SYSTEM, question, OVERVIEW_TOKENS)
