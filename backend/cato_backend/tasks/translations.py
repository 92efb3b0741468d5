"""Translation of units: their order, the prompts, and the code in the answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from cato_backend.tasks.asking import (
    about,
    chat,
    code_tokens,
    fenced,
    pieces,
    room_for_text,
    room_of_part,
    too_long,
    with_context,
)
from cato_backend.tasks.assembling import assembled
from cato_backend.tasks.plans import (
    Abilities,
    Answers,
    CallKind,
    Composed,
    ModelCall,
    PlanBuilder,
    TaskStep,
)
from cato_backend.tasks.reading import cut_at, without_fences
from cato_backend.tasks.source_text import Language, language_of, neutralized
from cato_backend.wire.tasks import TaskRequest, Unit

_SYSTEM = (
    "You translate source code between programming languages. Answer with the translated code "
    "alone, in one fenced code block. Keep the names. Write only what you are asked to translate."
)
_MOST_SIGNATURES_CHARS = 2000
_LEAST_PART = 400
"""Characters of a part that is translated by itself."""
_GROWTH = 2.0
"""How much longer, in characters, a translation may be than its source."""
MOST_LEVELS = 4
"""Stages that follow one another; each waits for the slowest call of the one before."""


def add_translations(
    builder: PlanBuilder, request: TaskRequest, model: Abilities
) -> list[list[int]]:
    """Add the steps that translate the units; return their numbers by unit.

    A unit comes after those that it uses, and is told how these look in the target language. One
    that is too long is translated in parts. Raises InvalidRequest naming a unit whose parts do not
    fit the model's context either, or what leaves no room for them.
    """
    order = levels([unit.uses for unit in request.units])
    stage_of = {index: stage for stage, indexes in enumerate(order) for index in indexes}
    numbers: list[list[int]] = []
    for index in range(len(request.units)):
        steps = _steps(request, index, model, numbers)
        numbers.append([builder.add(stage_of[index], step) for step in steps])
    return numbers


def compose_translations(
    request: TaskRequest, answers: Answers, numbers: Sequence[Sequence[int]], model: Abilities
) -> Composed:
    """Return the translated units in the order of the source, with their imports first."""
    units = tuple(_translated(request, answers, own, model) for own in numbers)
    return Composed(assembled(units, request.target_language or ""), units)


def _steps(
    request: TaskRequest, index: int, model: Abilities, numbers: list[list[int]]
) -> list[TaskStep]:
    unit = request.units[index]
    parts = _parts(request, index, model)
    limit = request.limits.get("max_tokens")
    return [
        _step(request, replace(unit, text=part), index, model, limit or code_tokens(part), numbers)
        for part in parts
    ]


def _step(
    request: TaskRequest,
    unit: Unit,
    index: int,
    model: Abilities,
    max_tokens: int,
    numbers: list[list[int]],
) -> TaskStep:
    """`numbers`: by unit, filled while the plan is made."""
    source, target = language_of(request.language), language_of(request.target_language or "")
    text = neutralized(unit.text.strip("\n"))

    def ask(answers: Answers) -> ModelCall:
        if not model.follows_instructions:
            return _continuation(source, target, text, max_tokens)
        known = _signatures(request, unit, answers, numbers, model)
        room = room_for_text(model, max_tokens, _SYSTEM, text, request.context)
        known = known[: max(0, room)] if room is not None else known
        what = f"Translate {about(unit)} from {source.title} to {target.title}:"
        question = f"{known}{what}\n\n{fenced(source, text)}"
        return chat(_SYSTEM, with_context(request.context, question), max_tokens, one_block=True)

    return TaskStep(ask, len(text) + len(_SYSTEM) + len(request.context), max_tokens, index)


def _parts(request: TaskRequest, index: int, model: Abilities) -> tuple[str, ...]:
    """Return the unit in parts that fit the model.

    Raises InvalidRequest where a statement does not fit, because a translation of half a statement
    is none.
    """
    unit = request.units[index]
    limit = request.limits.get("max_tokens")
    others = (_SYSTEM, request.context)
    room = room_for_text(model, limit or code_tokens(unit.text), *others, text=unit.text)
    if room is None or len(unit.text) <= room:
        return (unit.text,)
    refusal = too_long(unit.text, model, f"units[{index}].text")
    if not model.follows_instructions:
        raise refusal
    whole = room_for_text(model, limit or 0, *others, text=unit.text) or 0
    # Source and translation share the context.
    most = int(whole / (1 if limit else 1 + _GROWTH))
    parts = pieces(unit.text, room_of_part(request, index, model, most, _LEAST_PART), unit.breaks)
    if max(map(len, parts)) > most:
        raise refusal
    return parts


def _signatures(
    request: TaskRequest,
    unit: Unit,
    answers: Answers,
    numbers: Sequence[Sequence[int]],
    model: Abilities,
) -> str:
    """Return what the unit uses, as it was translated, else as it stands in the source."""
    target = language_of(request.target_language or "")
    known: list[str] = []
    for used in unit.uses:
        translated = _translated(request, answers, numbers[used], model)
        known.append(_head_of(translated) if translated else _signature(request.units[used]))
    text = neutralized("\n".join(known))[:_MOST_SIGNATURES_CHARS]
    return f"It uses these, which are there already:\n{fenced(target, text)}\n\n" if text else ""


def _translated(
    request: TaskRequest, answers: Answers, numbers: Sequence[int], model: Abilities
) -> str:
    texts = [answers.get(number, "") for number in numbers]
    # Of a chat's answer, one block of code is all that was read.
    if not model.follows_instructions:
        texts = [_of_continuation(text, request) for text in texts]
    return "\n".join(part for text in texts if (part := text.strip("\n")))


def _of_continuation(text: str, request: TaskRequest) -> str:
    """Return the code alone, without a fence and a second section."""
    languages = (request.language, request.target_language or "")
    stops = tuple(f"\n{_header(language_of(language))}" for language in languages)
    return cut_at(without_fences(text), stops)


def _signature(unit: Unit) -> str:
    lines = (line for line in unit.text.splitlines() if line.strip())
    return unit.signature or next(lines, "").strip()


def _head_of(code: str) -> str:
    """Return a short unit whole; of a longer one what stands before its body."""
    if len(code) <= _MOST_SIGNATURES_CHARS // 4:
        return code
    lines: list[str] = []
    for line in code.splitlines()[:12]:
        lines.append(line)
        if line.rstrip().endswith(("{", ":", "=>")):
            break
    return "\n".join(lines)


def _continuation(source: Language, target: Language, text: str, max_tokens: int) -> ModelCall:
    """Return the call that continues a file with the same code under a second comment.

    The file holds the code twice, each part under a comment in its own language.
    """
    prefix = f"{_header(source)}\n{text}\n\n{_header(target)}\n"
    stop = (f"\n{_header(source)}", f"\n{_header(target)}", "\n\n\n\n")
    return ModelCall(CallKind.COMPLETION, max_tokens, prefix=prefix, stop=stop)


def _header(language: Language) -> str:
    return f"{language.line} The same code in {language.title}:"


def levels(uses: Sequence[Collection[int]]) -> tuple[tuple[int, ...], ...]:
    """Return the units by level, each level in their order.

    Units of one level do not need each other, unless they use each other in a circle or are further
    than `MOST_LEVELS` from the first. `uses`: for each unit the indexes of those that it uses.
    """
    reached = [_reached(unit, uses) for unit in range(len(uses))]
    # What is used but does not use in return is below; the longest way down is the level.
    below = [
        {used for used in reached[unit] if unit not in reached[used]} for unit in range(len(uses))
    ]
    depth: dict[int, int] = {}
    for unit in sorted(range(len(uses)), key=lambda unit: len(below[unit])):
        depth[unit] = 1 + max((depth[used] for used in below[unit]), default=-1)
    found: dict[int, list[int]] = {}
    for unit in range(len(uses)):
        found.setdefault(min(depth[unit], MOST_LEVELS - 1), []).append(unit)
    return tuple(tuple(found[level]) for level in sorted(found))


def _reached(unit: int, uses: Sequence[Collection[int]]) -> set[int]:
    """Return all that the unit uses, directly or not."""
    seen: set[int] = set()
    waiting = list(uses[unit])
    while waiting:
        used = waiting.pop()
        if used not in seen:
            seen.add(used)
            waiting += uses[used]
    return seen - {unit}
