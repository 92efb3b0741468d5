"""Explaining units: step by step, a long one part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cato_backend.tasks.asking import (
    about,
    chat,
    fenced,
    pieces,
    room_for_text,
    room_of_part,
    too_long,
    with_context,
)
from cato_backend.tasks.plans import Abilities, Answers, Composed, ModelCall, PlanBuilder, joined
from cato_backend.tasks.source_text import language_of, neutralized
from cato_backend.wire.tasks import TaskRequest, Unit, heading

_MAX_TOKENS = 512
_LEAST_PART = 200
_SYSTEM = (
    "You explain source code to a colleague who has to change it. Answer in Markdown: first one "
    "sentence on what the code is for, then how it works, step by step, in a numbered list, then "
    "what is easy to overlook. Refer to names in the code. Do not repeat the code. No preamble."
)


def add_explanation(
    builder: PlanBuilder, request: TaskRequest, index: int, model: Abilities
) -> list[int]:
    """Add a step for each part of the unit that fits the model; return their numbers.

    Raises InvalidRequest naming what leaves no room for the unit.
    """
    unit = request.units[index]
    room = room_for_text(model, _max_tokens(request), _SYSTEM, request.context, text=unit.text)
    parts: tuple[str, ...] = (unit.text,)
    if room is not None and len(unit.text) > room:
        most = room_of_part(request, index, model, room, _LEAST_PART)
        parts = pieces(unit.text, most, unit.breaks)
        if max(map(len, parts)) > most:
            raise too_long(unit.text, model, f"units[{index}].text")
    calls = [_call(request, replace(unit, text=part)) for part in parts]
    return [builder.known(0, call, index) for call in calls]


def compose_explanations(
    request: TaskRequest, answers: Answers, numbers: Sequence[Sequence[int]]
) -> Composed:
    """Return the explanations; those of several units stand under their names."""
    texts = tuple(joined(answers, own, "\n\n").strip() for own in numbers)
    if len(texts) == 1:
        return Composed(texts[0], texts)
    pairs = zip(request.units, texts, strict=True)
    shown = (f"## {heading(unit.name, unit.kind)}\n\n{text}" for unit, text in pairs if text)
    return Composed("\n\n".join(shown), texts)


def _call(request: TaskRequest, unit: Unit) -> ModelCall:
    language = language_of(request.language)
    source = fenced(language, neutralized(unit.text.rstrip()))
    question = f"Explain {about(unit)} ({language.title}):\n\n{source}"
    return chat(_SYSTEM, with_context(request.context, question), _max_tokens(request))


def _max_tokens(request: TaskRequest) -> int:
    return request.limits.get("max_tokens", _MAX_TOKENS)
