"""Summaries of units and of their file: the prompts, and the part of the answer that is kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from cato_backend.tasks.asking import (
    about,
    chat,
    fenced,
    pieces,
    room_for_text,
    room_of_part,
    with_context,
)
from cato_backend.tasks.plans import (
    Abilities,
    Answers,
    CallKind,
    Composed,
    ModelCall,
    PlanBuilder,
    TaskStep,
    joined,
)
from cato_backend.tasks.reading import without_comment_marks, without_own_fence
from cato_backend.tasks.source_text import Language, language_of, neutralized
from cato_backend.wire.tasks import TaskRequest, Unit, heading

_LEAST_PART = 200
"""Characters of a part: a smaller one says too little."""
_NO_SUMMARY = "*the model gave no usable summary*"
MAX_TOKENS = 160
_SYSTEM = (
    "You explain source code to programmers. Answer with a summary in Markdown: first one sentence "
    "on what the code does, then, only where they matter, what it takes, what it returns, what it "
    "changes and how it fails. Five sentences at most. No code, no heading, no preamble."
)
_MERGING = (
    "You explain source code to programmers. You get notes on the parts of one piece of code, in "
    "their order. Answer with one summary of the whole, in Markdown: five sentences at most. No "
    "code, no heading, no list of the parts, no preamble."
)
OVERVIEW_TOKENS = 160
_SUMMARY_CHARS = 320
"""Of one unit, in the prompt of an overview."""
_FEWEST_UNITS = 3
"""Fewer summaries speak for themselves."""

_OVERVIEW_SYSTEM = (
    "You explain source code to programmers. You get the summaries of the units of one file. Say "
    "in two to four sentences what the file as a whole is for and how its units work together. "
    "No heading, no list, no code, no preamble."
)


def add_summary(builder: PlanBuilder, request: TaskRequest, index: int, model: Abilities) -> int:
    """Add the steps whose last one answers the unit's summary; return its number.

    A unit that is too long for the model is summarized in parts, then the summaries of these. A
    model that is not asked in a chat reads its head alone. Raises InvalidRequest naming what leaves
    no room for the unit.
    """
    unit = request.units[index]
    parts = _parts(request, index, model)
    if len(parts) == 1:
        return builder.known(0, summary_call(request, unit, model), index)
    calls = [summary_call(request, replace(unit, text=part), model) for part in parts]
    numbers = [builder.known(0, call, index, is_shown=False) for call in calls]
    return builder.add(1, merging_step(request, index, numbers, model))


def merging_step(
    request: TaskRequest, index: int, numbers: Sequence[int], model: Abilities
) -> TaskStep:
    """Return the step that makes one summary of those of the unit's parts."""
    unit, max_tokens = request.units[index], request.limits.get("max_tokens", MAX_TOKENS)
    title = language_of(request.language).title

    def ask(answers: Answers) -> ModelCall:
        notes = neutralized(joined(answers, numbers, "\n\n"))
        room = room_for_text(model, max_tokens, _MERGING)
        question = f"Summarize {about(unit)} ({title}) from these notes:\n\n{notes[:room]}"
        return chat(_MERGING, question, max_tokens)

    prompt_chars = MAX_TOKENS * 4 * len(numbers)
    return TaskStep(ask, prompt_chars, max_tokens, index, needs=tuple(numbers))


def summary_call(request: TaskRequest, unit: Unit, model: Abilities) -> ModelCall:
    """Return the call whose answer is the unit's summary.

    A text too long for the model loses its tail.
    """
    max_tokens = request.limits.get("max_tokens", MAX_TOKENS)
    language = language_of(request.language)
    text = _head(
        neutralized(unit.text.strip("\n").rstrip()), model.room_chars(max_tokens), request.context
    )
    if model.follows_instructions:
        return _chat(request, unit, language, text, max_tokens)
    if model.fim is None:
        return _continuation(unit, language, text, max_tokens)
    return _docstring(language, text, max_tokens)


def compose_summaries(
    request: TaskRequest, answers: Answers, numbers: Sequence[int], overview: int | None = None
) -> Composed:
    """Return the summaries of the units under their names, then the overview."""
    texts = tuple(clean_summary(answers.get(number, "")) for number in numbers)
    if len(texts) == 1:
        return Composed(texts[0], texts)
    shown = named_summaries(request, texts)
    if overview is not None and (whole := clean_summary(answers.get(overview, ""))):
        shown = (*shown, whole)
    return Composed("\n\n".join(shown), texts)


def named_summaries(request: TaskRequest, texts: Sequence[str]) -> tuple[str, ...]:
    """Return each unit's summary behind its name, or that there is none."""
    pairs = zip(request.units, texts, strict=True)
    return tuple(
        f"**{heading(unit.name, unit.kind)}**: {text or _NO_SUMMARY}" for unit, text in pairs
    )


def _parts(request: TaskRequest, index: int, model: Abilities) -> tuple[str, ...]:
    unit = request.units[index]
    max_tokens = request.limits.get("max_tokens", MAX_TOKENS)
    room = room_for_text(model, max_tokens, _SYSTEM, request.context, text=unit.text)
    if room is None or not model.follows_instructions or len(unit.text) <= room:
        return (unit.text,)
    most = room_of_part(request, index, model, room, _LEAST_PART)
    return tuple(part for part in pieces(unit.text, most, unit.breaks) if part.strip())


def clean_summary(text: str) -> str:
    """Return the summary without its own fence, quotes and comment marks."""
    return without_comment_marks(without_own_fence(text)).strip().strip('"').strip()


def _chat(
    request: TaskRequest, unit: Unit, language: Language, text: str, max_tokens: int
) -> ModelCall:
    question = f"Summarize {about(unit)} ({language.title}):\n\n{fenced(language, text)}"
    return chat(_SYSTEM, with_context(request.context, question), max_tokens)


def _docstring(language: Language, text: str, max_tokens: int) -> ModelCall:
    """Return the call for the documentation that belongs at its place in the code."""
    if language.id == "python":
        head, body, indent = _split_python(text)
        prefix, suffix, stop = f'{head}{indent}"""', f'"""\n{body}', '"""'
    elif language.block is not None:
        opening, mark, closing = language.block
        prefix, suffix, stop = f"{opening}{mark}", f"\n{closing}\n{text}", closing.strip()
    else:
        prefix, suffix, stop = f"{language.line} ", f"\n{text}", f"\n{text.splitlines()[0]}"
    return ModelCall(
        CallKind.INFILL, max_tokens, prefix=prefix, suffix=suffix, stop=(stop, "\n\n\n")
    )


def _continuation(unit: Unit, language: Language, text: str, max_tokens: int) -> ModelCall:
    name = " ".join(neutralized(unit.name or f"this {unit.kind}").split())
    prefix = f"{text}\n\n{language.line} Summary of {name}: it"
    return ModelCall(CallKind.COMPLETION, max_tokens, prefix=prefix, stop=("\n\n", "\ndef "))


_HEADER_END = re.compile(r":[ \t]*(#[^\n]*)?\n")
_PYTHON_UNIT = re.compile(r"\s*(@|(async\s+)?def\b|class\b)")


def _split_python(text: str) -> tuple[str, str, str]:
    """Return header with its line end, body, and the body's indentation.

    A text without a header is all body.
    """
    header = _python_header(text) if _PYTHON_UNIT.match(text) else 0
    body = text[header:]
    indent = re.match(r"[ \t]*", body.lstrip("\n"))
    return text[:header], body, indent[0] if indent and header else ""


def _python_header(text: str) -> int:
    """Return where the first line after the signature begins; 0 where there is no body."""
    start = re.search(r"(?m)^[ \t]*((async\s+)?def|class)\b", text)
    if start is None:
        return 0
    for end in _HEADER_END.finditer(text, start.end()):
        head = text[start.start() : end.start()]
        if all(head.count(a) == head.count(b) for a, b in ("()", "[]", "{}")):
            return end.end()
    return 0


def _head(text: str, room: int | None, context: str) -> str:
    if room is None:
        return text
    kept = text[: max(200, room - len(context) - len(_SYSTEM) - 200)]
    return kept if len(kept) == len(text) else kept[: kept.rfind("\n") + 1] or kept


def add_overview(
    builder: PlanBuilder, request: TaskRequest, numbers: Sequence[int], model: Abilities
) -> int | None:
    """Add the step that answers the overview of the units; return its number.

    `numbers`: those of the units' summaries. Returns None where the model, or so few units, give no
    overview.
    """
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
    """Return the call for the overview. The tail of summaries that are too long is cut."""
    texts = compose_summaries(request, answers, numbers).units
    room = room_for_text(model, OVERVIEW_TOKENS, _OVERVIEW_SYSTEM)
    text = neutralized("\n".join(named_summaries(request, texts)))[:room]
    title = language_of(request.language).title
    question = f"The units of a {title} file and what they do:\n\n{text}"
    return chat(_OVERVIEW_SYSTEM, question, OVERVIEW_TOKENS)
