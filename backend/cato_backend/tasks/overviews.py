"""The second stage of summarizing a file: what its units' summaries say together."""

from __future__ import annotations

from collections.abc import Sequence

from cato_backend.tasks.calls import Abilities, CallKind, Message, ModelCall
from cato_backend.tasks.languages import language_of
from cato_backend.tasks.markers import neutralized
from cato_backend.wire.headers import Task
from cato_backend.wire.tasks import TaskRequest

OVERVIEW_TOKENS = 160
_FEWEST_UNITS = 3
"""Fewer summaries speak for themselves."""
_SYSTEM = (
    "You explain source code to programmers. You get the summaries of the units of one file. Say "
    "in two to four sentences what the file as a whole is for and how its units work together. "
    "No heading, no list, no code, no preamble."
)


def has_overview(request: TaskRequest, model: Abilities) -> bool:
    """Whether the summaries of the units are followed by one of the whole."""
    wanted = request.task is Task.SUMMARIZATION and len(request.units) >= _FEWEST_UNITS
    return wanted and model.follows_instructions


def overview_call(request: TaskRequest, summaries: Sequence[str], model: Abilities) -> ModelCall:
    """The call whose answer is the overview; of summaries that are too long, the tail is cut."""
    room = model.room_chars(OVERVIEW_TOKENS)
    text = neutralized("\n".join(summaries))
    if room is not None:
        text = text[: max(200, room - len(_SYSTEM) - 200)]
    title = language_of(request.language).title
    question = f"The units of a {title} file and what they do:\n\n{text}"
    messages = (Message("system", _SYSTEM), Message("user", question))
    return ModelCall(CallKind.CHAT, OVERVIEW_TOKENS, messages=messages)
