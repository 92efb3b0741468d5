"""Documentation of units: the convention of each language, and the prose in the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from inspect import cleandoc
from itertools import takewhile
from types import MappingProxyType

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
from cato_backend.tasks.plans import (
    Abilities,
    Answers,
    Composed,
    ModelCall,
    PlanBuilder,
    TaskStep,
    joined,
)
from cato_backend.tasks.reading import without_comment_marks, without_own_fence
from cato_backend.tasks.source_text import Language, language_of, neutralized
from cato_backend.tasks.summaries import MAX_TOKENS as _SUMMARY_TOKENS
from cato_backend.tasks.summaries import summary_call
from cato_backend.wire.tasks import TaskRequest, Unit, heading

_MAX_TOKENS = 256
_SYSTEM = (
    "You write the documentation of source code. Answer with the text of the documentation alone: "
    "no code, no fences, no comment marks, no quotes, no preamble. Say what the code does, not "
    "how. Never invent parameters or errors."
)
_JSDOC = (
    "one sentence, an empty line, then `@param name description` for each parameter and "
    "`@returns description`, as JSDoc has them"
)
_DOXYGEN = "one sentence, an empty line, then `@param name description`, `@return description`"
_CONVENTIONS = MappingProxyType(
    {
        "python": (
            "a docstring: one sentence in the imperative that ends with a period; then, only where "
            "they are needed, an empty line and the sections `Args:`, `Returns:` and `Raises:`"
        ),
        "javascript": _JSDOC,
        "javascriptreact": _JSDOC,
        "typescript": f"{_JSDOC}, without types",
        "typescriptreact": f"{_JSDOC}, without types",
        "java": (
            "one sentence in the third person, an empty line, then `@param name description`, "
            "`@return description` and `@throws Type description`, as Javadoc has them"
        ),
        "php": "one sentence, an empty line, then `@param type $name`, `@return type` as PHPDoc",
        "go": "one or two sentences, the first of which begins with the name of the declaration",
        "rust": (
            "one sentence in the third person, then, only where it can fail, an empty line and the "
            "section `# Errors` or `# Panics`"
        ),
        "c": _DOXYGEN,
        "cpp": _DOXYGEN,
        "csharp": (
            'the XML elements `<summary>`, `<param name="...">` and `<returns>`, one a line'
        ),
        "kotlin": (
            "one sentence in the third person, an empty line, then `@param name description`, "
            "`@return description` and `@throws Type description`, as KDoc has them"
        ),
        "lua": (
            "one sentence, an empty line, then `@param name type description` and "
            "`@return type description`, as LuaCATS has them"
        ),
        "ruby": "one sentence, an empty line, then `@param name [Type]`, `@return [Type]` as YARD",
    }
)
_DEFAULT = "one sentence on what it does, then what it takes and returns"
_LEAST_PART = 200
_DOC_BLOCK = re.compile(
    r"^[ \t]*(?:"
    r'"""(?P<double>.*?)(?:"""|\Z)'
    r"|\'\'\'(?P<single>.*?)(?:\'\'\'|\Z)"
    r"|/\*\*+(?P<comment>.*?)(?:\*/|\Z))",
    re.DOTALL | re.MULTILINE,
)
_DOCUMENTED_INSIDE = re.compile(r"@\w|(?:async\s+)?def\s+\w+\s*\(|class\s+\w+\s*[(:]")
"""How Python code begins, whose documentation does not stand before it."""
_LINE_MARK = re.compile(r"[ \t]*(?:///|//!|//|---?)(?:[ \t]|$|(?=@))")
"""Not those of Markdown: `##` begins a section."""
_SUBJECT = re.compile(
    r"(?:The|This)\s+(?:`?[\w.]+`?\s+)?(?:function|method|class|constructor|code)\s+"
    r"(?:`[\w.]+`\s+)?(?=[a-z]+s\b)(?!is\b|has\b|was\b|does\b)"
)
"""What a model begins with though the documentation stands where its subject does."""
_PREAMBLE = re.compile(r"(?i)\A(?:sure|certainly|here(?:'s|(?: it)? is| are))\b[^\n]*:\s*\n+")


def add_documentation(
    builder: PlanBuilder, request: TaskRequest, index: int, model: Abilities
) -> int:
    """Add the steps whose last one answers the documentation; return its number.

    Of a unit that is too long, the model reads the head and the summaries of its parts. Raises
    InvalidRequest naming what leaves no room for the unit.
    """
    unit = request.units[index]
    room = _room(request, unit, model)
    if room is None or len(unit.text) <= room:
        return builder.known(0, _call(request, unit, unit.text, "", model), index)
    room = room_of_part(request, index, model, room, 2 * _LEAST_PART)
    head, *rest = pieces(unit.text, room // 2, unit.breaks)
    if len(head) > room:
        raise too_long(unit.text, model, f"units[{index}].text")
    numbers = [
        builder.known(0, _part_call(request, unit, part, model), index, is_shown=False)
        for part in rest
    ]

    def ask(answers: Answers) -> ModelCall:
        notes = neutralized(joined(answers, numbers, "\n\n"))[: room - len(head)]
        return _call(request, unit, head, notes, model)

    return builder.add(1, TaskStep(ask, room, _max_tokens(request), index, needs=tuple(numbers)))


def compose_documentation(
    request: TaskRequest, answers: Answers, numbers: Sequence[int]
) -> Composed:
    """Return the documentation of each unit; several stand under their names."""
    names_itself = request.language == "go"
    texts = tuple(
        clean_documentation(answers.get(number, ""), names_itself=names_itself)
        for number in numbers
    )
    if len(texts) == 1:
        return Composed(texts[0], texts)
    pairs = zip(request.units, texts, strict=True)
    shown = (f"**{heading(unit.name, unit.kind)}**\n\n{text}" for unit, text in pairs if text)
    return Composed("\n\n".join(shown), texts)


def clean_documentation(text: str, *, names_itself: bool = False) -> str:
    """Return the prose alone, also of an answer that repeats the code with its documentation.

    "The function `add` adds" becomes "Adds", unless documentation `names_itself` by convention.
    """
    prose = _prose(text)
    if names_itself or (subject := _SUBJECT.match(prose)) is None:
        return prose
    rest = prose[subject.end() :]
    return rest[0].upper() + rest[1:]


def _prose(text: str) -> str:
    said = _PREAMBLE.sub("", text.strip())
    block = without_own_fence(said)
    inner = _PREAMBLE.sub("", block.strip())
    is_code = block is not said or _DOCUMENTED_INSIDE.match(inner)
    found = _DOC_BLOCK.search(inner) if is_code else _DOC_BLOCK.match(inner)
    if found is not None:
        comment = found["comment"]
        if comment is None:
            return cleandoc(found["double"] or found["single"] or "")
        return without_comment_marks(f"/**{comment}*/")
    marked = list(takewhile(_LINE_MARK.match, inner.splitlines()))
    unmarked = [_LINE_MARK.sub("", line, count=1) for line in marked]
    # A line of dashes alone is a rule of Markdown.
    if any(line.strip() for line in unmarked):
        inner = "\n".join(unmarked)
    return cleandoc(inner.strip().strip('"').strip())


def _call(request: TaskRequest, unit: Unit, text: str, notes: str, model: Abilities) -> ModelCall:
    language = language_of(request.language)
    source = neutralized(text.strip("\n"))
    rest = f"\n\nWhat the rest of it does:\n{notes}" if notes else ""
    question = (
        f"Write the documentation of {about(unit)} ({language.title}). Its form: "
        f"{_convention(language)}.\n\n{fenced(language, source)}{rest}"
    )
    return chat(_SYSTEM, with_context(request.context, question), _max_tokens(request))


def _part_call(request: TaskRequest, unit: Unit, part: str, model: Abilities) -> ModelCall:
    own = Unit(unit.name, unit.kind, part)
    asked = TaskRequest(
        request.task, request.language, (own,), limits={"max_tokens": _SUMMARY_TOKENS}
    )
    return summary_call(asked, own, model)


def _convention(language: Language) -> str:
    return _CONVENTIONS.get(language.id, _DEFAULT)


def _max_tokens(request: TaskRequest) -> int:
    return request.limits.get("max_tokens", _MAX_TOKENS)


def _room(request: TaskRequest, unit: Unit, model: Abilities) -> int | None:
    longest = max(map(len, _CONVENTIONS.values()))
    max_tokens = _max_tokens(request)
    room = room_for_text(model, max_tokens, _SYSTEM, request.context, text=unit.text)
    return None if room is None else room - longest
