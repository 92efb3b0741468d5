"""Documentation, explanations, tests, fixes and generated code: questions and answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.errors import InvalidRequest
from cato_backend.model_store.registry import known_models
from cato_backend.tasks.documentation import clean_documentation
from cato_backend.tasks.families import EMBEDDED, QWEN_CODER
from cato_backend.tasks.plans import Abilities, TaskPlan
from cato_backend.tasks.whole import NEEDED, plan, useful_kinds
from cato_backend.wire.headers import Task
from cato_backend.wire.tasks import Diagnostic, TaskKind, TaskRequest, Unit

CHAT = Abilities(QWEN_CODER, follows_instructions=True)
SMALL = Abilities(QWEN_CODER, follows_instructions=True, max_model_len=1024)
BODY = "".join(f"    if x == {number}:\n        return {number + 1}\n" for number in range(200))
LONG = Unit("f", "function", f"def f(x):\n{BODY}")
SPLIT = (
    TaskKind.SUMMARIZATION,
    TaskKind.TRANSLATION,
    TaskKind.DOCUMENTATION,
    TaskKind.EXPLANATION,
)
"""What is done in parts with a long unit."""
OF_CHAT_ONLY = [kind for kind in TaskKind if kind not in useful_kinds(Abilities(QWEN_CODER))]


def request(kind: TaskKind, *units: Unit, language: str = "python") -> TaskRequest:
    return TaskRequest(kind, language, units, target_language="go", instruction="add two numbers")


def questions(found: TaskPlan) -> list[str]:
    return [call.messages[-1].content for call in found.calls]


@pytest.mark.parametrize("kind", OF_CHAT_ONLY)
@pytest.mark.parametrize("model", [Abilities(EMBEDDED), Abilities(QWEN_CODER), Abilities()])
def test_a_model_that_cannot_do_it_is_told_by_what_is_needed(
    kind: TaskKind, model: Abilities
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plan(request(kind, LONG), model)
    assert refused.value.param == "task"
    assert NEEDED in refused.value.message


def test_the_embedded_model_does_nothing_useful() -> None:
    assert useful_kinds(Abilities(EMBEDDED)) == ()
    assert useful_kinds(Abilities(QWEN_CODER)) == (TaskKind.SUMMARIZATION, TaskKind.TRANSLATION)
    assert useful_kinds(CHAT) == tuple(TaskKind)


def test_what_is_needed_is_a_model_that_can_be_fetched() -> None:
    assert f"cato model fetch {known_models()[0].name}`" in NEEDED


@pytest.mark.parametrize("kind", TaskKind)
def test_no_special_token_gets_through(kind: TaskKind) -> None:
    token = "<|im_end|>"
    unit = Unit(token, token, token, signature=token, diagnostics=(Diagnostic(1, token),))
    asked = TaskRequest(
        kind, "python", (unit,), target_language="go", context=token, instruction=token
    )
    for call in plan(asked, CHAT).calls:
        assert all(token not in message.content for message in call.messages)


@pytest.mark.parametrize("kind", TaskKind)
def test_every_call_fits_the_model_or_the_unit_is_refused_by_name(kind: TaskKind) -> None:
    if kind in (TaskKind.TESTS, TaskKind.FIX, TaskKind.GENERATION):
        with pytest.raises(InvalidRequest) as refused:
            plan(request(kind, LONG), SMALL)
        assert refused.value.param == "units[0].text"
        return
    found = plan(request(kind, LONG), SMALL)
    answers = dict.fromkeys(range(len(found.steps)), "It is what it is. " * 30)
    for step in found.steps:
        call = step.ask(answers)
        assert call.prompt_chars / SMALL.chars_per_token + call.max_tokens <= 1024


@pytest.mark.parametrize("kind", SPLIT)
@pytest.mark.parametrize("field", ["context", "max_tokens"])
def test_what_leaves_no_room_for_the_unit_is_refused_by_name(kind: TaskKind, field: str) -> None:
    given = {"context": "x" * 100_000} if field == "context" else {"limits": {"max_tokens": 1000}}
    with pytest.raises(InvalidRequest) as refused:
        plan(replace(request(kind, LONG), **given), SMALL)
    assert refused.value.param == field


@pytest.mark.parametrize("kind", SPLIT)
def test_a_unit_of_too_many_parts_is_refused(kind: TaskKind) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plan(request(kind, replace(LONG, text="x = 1\n" * 50_000)), SMALL)
    assert refused.value.param == "units[0].text"


@pytest.mark.parametrize("kind", SPLIT)
def test_a_task_of_too_many_calls_is_refused(kind: TaskKind) -> None:
    with pytest.raises(InvalidRequest) as refused:
        plan(request(kind, *[LONG] * 64), SMALL)
    assert refused.value.param == "units"


@pytest.mark.parametrize("kind", SPLIT)
def test_a_long_unit_is_read_as_a_whole(kind: TaskKind) -> None:
    found = plan(request(kind, LONG), SMALL)
    asked = "\n".join(step.ask({}).messages[-1].content for step in found.steps)
    assert all(f"x == {number}:" in asked for number in range(200))


def test_parts_of_a_summary_come_before_it_and_are_not_shown() -> None:
    found = plan(request(TaskKind.SUMMARIZATION, LONG), SMALL)
    first, second = found.stages
    assert [found.steps[n].is_shown for n in first] == [False] * len(first)
    answers = {number: f"note {number}" for number in first}
    (last,) = second
    merging = found.steps[last].ask(answers).messages[-1].content
    assert all(note in merging for note in answers.values())
    assert found.compose({**answers, last: "All of it."}).text == "All of it."


def test_uses_of_each_other_are_told_as_they_stand_in_the_source() -> None:
    one = Unit("one", "function", "def one():\n    two()", uses=(1,))
    two = Unit("two", "function", "def two():\n    one()", uses=(0,), signature="def two() -> int")
    found = plan(request(TaskKind.TRANSLATION, one, two), CHAT)
    assert found.stages == ((0, 1),)
    first, second = questions(found)
    assert "def two() -> int" in first
    assert "def one():" in second


def test_a_failed_unit_is_left_out_of_the_text() -> None:
    one, two = Unit("one", "function", "x"), Unit("two", "function", "y")
    composed = plan(request(TaskKind.TRANSLATION, one, two), CHAT).compose({1: "y := 1"})
    assert composed.units == ("", "y := 1")
    assert composed.text == "y := 1"


def test_a_diagnostic_is_told_by_the_line_that_is_shown() -> None:
    unit = Unit("f", "function", "\n\nx = 1\ny = z\n", diagnostics=(Diagnostic(4, "no z"),))
    (question,) = questions(plan(request(TaskKind.FIX, unit), CHAT))
    assert "```python\nx = 1\ny = z\n```" in question
    assert "- line 2: no z" in question


def test_a_diagnostic_before_the_first_line_that_is_shown_is_told_of_that() -> None:
    unit = Unit("f", "function", "\n\nx = (", diagnostics=(Diagnostic(1, "never closed"),))
    (question,) = questions(plan(request(TaskKind.FIX, unit), CHAT))
    assert "- line 1: never closed" in question


@pytest.mark.parametrize("kind", SPLIT)
def test_a_statement_too_long_for_the_model_is_not_asked_about(kind: TaskKind) -> None:
    unit = Unit("f", "function", "x = " + "1 + " * 2000 + "1")
    if kind is TaskKind.SUMMARIZATION:
        (question,) = questions(plan(request(kind, unit), SMALL))
        assert "x = 1 + 1" in question
        assert len(question) < 1024 * 3
        return
    with pytest.raises(InvalidRequest) as refused:
        plan(request(kind, unit), SMALL)
    assert refused.value.param == "units[0].text"


@pytest.mark.parametrize(
    ("language", "words"), [("python", "pytest"), ("go", "`testing`"), ("cobol", "usual framework")]
)
def test_tests_use_the_language_s_framework(language: str, words: str) -> None:
    (question,) = questions(plan(request(TaskKind.TESTS, LONG, language=language), CHAT))
    assert words in question


def test_code_with_a_fence_has_a_longer_one_around_it() -> None:
    unit = Unit("f", "function", '"""\n```\nx\n```\n"""')
    (question,) = questions(plan(request(TaskKind.EXPLANATION, unit), CHAT))
    assert "````python\n" in question
    assert question.endswith("\n````")


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Adds two numbers.", "Adds two numbers."),
        ('"""Adds two numbers."""', "Adds two numbers."),
        (
            '```python\n"""Adds.\n\n    Args:\n        a: one\n"""\n```',
            "Adds.\n\nArgs:\n    a: one",
        ),
        ('```python\ndef add(a, b):\n    """Adds."""\n    return a + b\n```', "Adds."),
        ("/**\n * Adds.\n * @param a one\n */\nfunction add(a) {}", "Adds.\n@param a one"),
        ("```go\n// Add adds.\n// It is fast.\nfunc Add() {}\n```", "Add adds.\nIt is fast."),
        ("/// Adds.\n///\n/// # Errors\n/// never", "Adds.\n\n# Errors\nnever"),
        ("--- Adds.\n---\n---@param a number\nfunction add(a) end", "Adds.\n\n@param a number"),
        ("---\nAdds.", "---\nAdds."),
        ("Here is the docstring:\n\nAdds.", "Adds."),
        ("The function `add` adds two.", "Adds two."),
        ("This method adds two.", "Adds two."),
        ("The `add` method adds two.", "Adds two."),
        ("The class is a stack.", "The class is a stack."),
        ("The functions that add.", "The functions that add."),
        ('def add(a, b):\n    """Adds."""\n    return a + b', "Adds."),
        ("// Add adds.\nfunc Add() {\n\t// inside\n}", "Add adds."),
        ('Here it is:\n\n```python\n"""Adds."""\n```\nIt adds.', "Adds."),
        (
            '```python\n"""Adds.\n\n    ```python\n    add()\n    ```\n"""\n```',
            "Adds.\n\n```python\nadd()\n```",
        ),
        ("", ""),
    ],
)
def test_documentation_is_prose(raw: str, clean: str) -> None:
    assert clean_documentation(raw) == clean


@pytest.mark.parametrize(
    "kind", [TaskKind.TESTS, TaskKind.FIX, TaskKind.GENERATION, TaskKind.TRANSLATION]
)
def test_an_example_in_the_code_stays_in_it(kind: TaskKind) -> None:
    """The reader has taken the answer's own fence off."""
    code = 'def add(a, b):\n    """Add.\n\n    ```python\n    add(1, 2)\n    ```\n    """'
    found = plan(request(kind, Unit("add", "function", "x")), CHAT)
    assert found.compose({0: f"\n{code}\n"}).text == code


@pytest.mark.parametrize(
    "prose",
    [
        "Adds two numbers.\n\n```python\nadd(1, 2)\n```",
        "Finds files by a glob such as `src/**/*.py`. Returns their paths.",
        "## Overview\n\nAdds two numbers.\n\n## Returns\n\nThe sum.",
        "---\nAdds two numbers.",
        'Reads text between `"""` and `"""`. Drops the rest.',
        'Reads:\n\n"""\ntext\n"""\n\nDrops the rest.',
    ],
)
def test_prose_is_kept_whatever_stands_in_it(prose: str) -> None:
    assert clean_documentation(prose) == prose


@pytest.mark.parametrize("kind", TaskKind)
def test_each_kind_has_the_class_of_its_length(kind: TaskKind) -> None:
    prose = {TaskKind.SUMMARIZATION, TaskKind.DOCUMENTATION, TaskKind.EXPLANATION}
    assert kind.slo_class is (Task.SUMMARIZATION if kind in prose else Task.TRANSLATION)
