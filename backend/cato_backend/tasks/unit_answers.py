"""Tests for a unit, a fixed unit, code for an instruction, and explanations of units.

The first three are answers of one code block. A unit that is too long is explained part by part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

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
from cato_backend.tasks.plans import Abilities, Answers, Composed, ModelCall, PlanBuilder, joined
from cato_backend.tasks.source_text import language_of, neutralized
from cato_backend.wire.tasks import TaskKind, TaskRequest, Unit, heading

_FENCE = "Answer with the code alone, in one fenced code block."
_SYSTEMS = MappingProxyType(
    {
        TaskKind.TESTS: (
            "You write unit tests. Test the usual case, the edge cases and the errors of the code "
            f"that you are given, with values that you have computed. {_FENCE}"
        ),
        TaskKind.FIX: (
            "You fix source code. Change as little as possible: keep names, comments and "
            f"formatting of all that is not wrong. Answer with all of the code, fixed. {_FENCE}"
        ),
        TaskKind.GENERATION: (
            "You write source code that fits into the file that you are shown. Do not repeat what "
            f"is there. {_FENCE}"
        ),
    }
)
_JS_TESTS = "`node:test` and `node:assert/strict`"
_FRAMEWORKS = MappingProxyType(
    {
        "python": "pytest, as plain functions with `assert`",
        "javascript": _JS_TESTS,
        "javascriptreact": _JS_TESTS,
        "typescript": _JS_TESTS,
        "typescriptreact": _JS_TESTS,
        "java": "JUnit 5",
        "kotlin": "JUnit 5",
        "go": "the package `testing`, with a table of cases",
        "rust": "a module `tests` under `#[cfg(test)]`",
        "c": "`assert.h` and a `main` function",
        "cpp": "GoogleTest",
        "csharp": "xUnit",
        "ruby": "Minitest",
        "php": "PHPUnit",
        "swift": "XCTest",
    }
)
_DEFAULT_FRAMEWORK = "the usual framework of the language"
_TEST_FACTOR, _FIX_FACTOR = 2.0, 1.2
"""How much longer than the unit the answer may be."""
_TEST_TOKENS, _GENERATED_TOKENS = 512, 768
"""An answer to even a short unit or instruction."""
_EXPLANATION_TOKENS = 512
_LEAST_EXPLAINED_PART = 200
_EXPLAIN = (
    "You explain source code to a colleague who has to change it. Answer in Markdown: first one "
    "sentence on what the code is for, then how it works, step by step, in a numbered list, then "
    "what is easy to overlook. Refer to names in the code. Do not repeat the code. No preamble."
)


def code_call(request: TaskRequest, index: int, model: Abilities) -> ModelCall:
    """Return the call whose answer is the code for the unit.

    Raises InvalidRequest naming a unit that does not fit the model's context with its answer.
    """
    unit, system = request.units[index], _SYSTEMS[request.task]
    max_tokens = request.limits.get("max_tokens") or _limit(request.task, unit.text)
    question = with_context(request.context, _QUESTIONS[request.task](request, unit))
    room = room_for_text(model, max_tokens, system)
    if room is not None and len(question) > room:
        raise too_long(unit.text, model, f"units[{index}].text")
    return chat(system, question, max_tokens, one_block=True)


def add_code(builder: PlanBuilder, request: TaskRequest, index: int, model: Abilities) -> int:
    """Add the step that answers the code for the unit; return its number.

    Raises InvalidRequest.
    """
    return builder.known(0, code_call(request, index, model), index)


def compose_code(request: TaskRequest, answers: Answers, numbers: Sequence[int]) -> Composed:
    """Return the code of each unit; of several, what they import stands at the top."""
    texts = tuple(answers.get(number, "").strip("\n") for number in numbers)
    return Composed(assembled(texts, request.language), texts)


def _limit(kind: TaskKind, text: str) -> int:
    if kind is TaskKind.GENERATION:
        return _GENERATED_TOKENS
    if kind is TaskKind.TESTS:
        return max(_TEST_TOKENS, code_tokens(text, _TEST_FACTOR))
    return code_tokens(text, _FIX_FACTOR)


def _tests_question(request: TaskRequest, unit: Unit) -> str:
    language = language_of(request.language)
    framework = _FRAMEWORKS.get(language.id, _DEFAULT_FRAMEWORK)
    source = fenced(language, neutralized(unit.text.strip("\n")))
    return f"Write tests for {about(unit)} ({language.title}) with {framework}:\n\n{source}"


def _fix_question(request: TaskRequest, unit: Unit) -> str:
    language = language_of(request.language)
    text = neutralized(unit.text.strip("\n"))
    # Lines count from the unit's first one: blank lines before it are not shown.
    skipped = len(unit.text) - len(unit.text.lstrip("\n"))
    complaints = [
        f"- line {max(1, said.line - skipped)}: {neutralized(said.message)}"
        for said in unit.diagnostics
    ]
    wrong = "\n".join(complaints) or "- it cannot be parsed"
    shown = fenced(language, text)
    return f"Fix {about(unit)} ({language.title}):\n\n{shown}\n\nWhat is wrong:\n{wrong}"


def _generation_question(request: TaskRequest, unit: Unit) -> str:
    language = language_of(request.language)
    text = neutralized(unit.text.strip("\n"))
    instruction = neutralized(request.instruction.strip())
    return (
        f"This is the end of what stands in the file ({language.title}):\n\n"
        f"{fenced(language, text)}\n\nWrite the {language.title} code that comes next, at the same "
        f"indentation as the last line: {instruction}"
    )


_QUESTIONS = MappingProxyType(
    {
        TaskKind.TESTS: _tests_question,
        TaskKind.FIX: _fix_question,
        TaskKind.GENERATION: _generation_question,
    }
)


def add_explanation(
    builder: PlanBuilder, request: TaskRequest, index: int, model: Abilities
) -> list[int]:
    """Add a step for each part of the unit that fits the model; return their numbers.

    Raises InvalidRequest naming what leaves no room for the unit.
    """
    unit = request.units[index]
    room = room_for_text(
        model, _explanation_tokens(request), _EXPLAIN, request.context, text=unit.text
    )
    parts: tuple[str, ...] = (unit.text,)
    if room is not None and len(unit.text) > room:
        most = room_of_part(request, index, model, room, _LEAST_EXPLAINED_PART)
        parts = pieces(unit.text, most, unit.breaks)
        if max(map(len, parts)) > most:
            raise too_long(unit.text, model, f"units[{index}].text")
    calls = [_explanation_call(request, replace(unit, text=part)) for part in parts]
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


def _explanation_call(request: TaskRequest, unit: Unit) -> ModelCall:
    language = language_of(request.language)
    source = fenced(language, neutralized(unit.text.rstrip()))
    question = f"Explain {about(unit)} ({language.title}):\n\n{source}"
    return chat(_EXPLAIN, with_context(request.context, question), _explanation_tokens(request))


def _explanation_tokens(request: TaskRequest) -> int:
    return request.limits.get("max_tokens", _EXPLANATION_TOKENS)
