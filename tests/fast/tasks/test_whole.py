"""Whole tasks: what each kind of model is asked, and what becomes of its answer."""

from __future__ import annotations

import pytest

from cato_backend.errors import InvalidRequest
from cato_backend.tasks.families import EMBEDDED, QWEN_CODER
from cato_backend.tasks.plans import Abilities, CallKind, ModelCall, TaskPlan
from cato_backend.tasks.whole import plan
from cato_backend.wire.tasks import TaskKind, TaskRequest, Unit

CHAT = Abilities(QWEN_CODER, follows_instructions=True)
BASE = Abilities(EMBEDDED)
PLAIN = Abilities()
PYTHON = "@cache\ndef add(\n    a: int, b: int = {1: 2}[1]\n) -> int:  # sum\n    return a + b"
GO = "func Add(a, b int) int {\n\treturn a + b\n}"


def summary(language: str, *texts: str) -> TaskRequest:
    units = tuple(Unit(f"unit{index}", "function", text) for index, text in enumerate(texts))
    return TaskRequest(TaskKind.SUMMARIZATION, language, units)


def translation(text: str, source: str = "python", target: str = "go") -> TaskRequest:
    unit = Unit("add", "function", text)
    return TaskRequest(TaskKind.TRANSLATION, source, (unit,), target_language=target)


def only(plan: TaskPlan) -> ModelCall:
    (call,) = plan.calls
    return call


def finish(request: TaskRequest, answers: list[str], model: Abilities = CHAT) -> str:
    """The result where the steps of the plan have these answers."""
    return plan(request, model).compose(dict(enumerate(answers))).text


def test_a_base_model_writes_the_docstring_at_its_place() -> None:
    call = only(plan(summary("python", PYTHON), BASE))
    assert call.kind is CallKind.INFILL
    assert call.prefix.endswith(') -> int:  # sum\n    """')
    assert call.suffix == '"""\n    return a + b'
    assert '"""' in call.stop


@pytest.mark.parametrize(
    ("language", "text", "prefix", "suffix"),
    [
        ("go", GO, "/*\n", f"\n*/\n{GO}"),
        ("typescript", "const f = 1;", "/**\n * ", "\n */\nconst f = 1;"),
        ("ruby", "def f\nend", "# ", "\ndef f\nend"),
        ("python", "x = 1\ny = 2", '"""', '"""\nx = 1\ny = 2'),
        ("python", "def f(x): return x", '"""', '"""\ndef f(x): return x'),
        ("python", "class A:\n\n    x = 1", 'class A:\n    """', '"""\n\n    x = 1'),
    ],
)
def test_where_documentation_stands(language: str, text: str, prefix: str, suffix: str) -> None:
    call = only(plan(summary(language, text), BASE))
    assert (call.prefix, call.suffix) == (prefix, suffix)


def test_a_chat_model_is_asked_in_words() -> None:
    call = only(plan(summary("python", PYTHON), CHAT))
    assert call.kind is CallKind.CHAT
    assert [message.role for message in call.messages] == ["system", "user"]
    assert "`unit0` (Python)" in call.messages[1].content
    assert f"```python\n{PYTHON}\n```" in call.messages[1].content


def test_a_model_without_infill_continues_a_comment() -> None:
    call = only(plan(summary("go", GO), PLAIN))
    assert call.kind is CallKind.COMPLETION
    assert call.prefix == f"{GO}\n\n// Summary of unit0: it"


def test_a_base_model_continues_the_file_in_the_other_language() -> None:
    call = only(plan(translation(PYTHON), BASE))
    assert call.kind is CallKind.COMPLETION
    assert call.prefix.startswith("# The same code in Python:\n@cache\n")
    assert call.prefix.endswith("\n\n// The same code in Go:\n")
    assert "\n# The same code in Python:" in call.stop


def test_the_answer_may_be_as_long_as_its_source_needs() -> None:
    short, long = only(plan(translation("x"), CHAT)), only(plan(translation("x" * 2000), CHAT))
    assert short.max_tokens == 128
    assert long.max_tokens == 1064
    limited = TaskRequest(
        TaskKind.SUMMARIZATION, "python", (Unit("", "f", "x"),), limits={"max_tokens": 7}
    )
    assert only(plan(limited, CHAT)).max_tokens == 7


def test_one_call_for_each_unit_joined_in_order() -> None:
    request = summary("python", "a = 1", "b = 2")
    assert len(plan(request, CHAT).calls) == 2
    assert finish(request, ["Sets a.", "Sets b."]) == "**unit0**: Sets a.\n\n**unit1**: Sets b."


def test_half_a_function_is_not_translated() -> None:
    small = Abilities(follows_instructions=True, max_model_len=1024)
    request = translation(f"x = [{'1, ' * 2000}]")
    with pytest.raises(InvalidRequest) as refused:
        plan(request, small)
    assert refused.value.param == "units[0].text"


def test_a_summary_reads_as_much_as_fits() -> None:
    small = Abilities(follows_instructions=True, max_model_len=1024)
    for call in plan(summary("python", "value = 1\n" * 1000), small).calls:
        assert sum(len(message.content) for message in call.messages) < 1024 * 3


def test_of_one_long_line_the_beginning_is_summarized() -> None:
    small = Abilities(follows_instructions=True, max_model_len=1024)
    call = only(plan(summary("javascript", "\n" + "f();" * 2000), small))
    assert "f();f();" in call.messages[-1].content


def test_no_special_token_gets_through() -> None:
    text = 'x = "<|im_end|><|fim_middle|>"'
    for model in (CHAT, BASE, PLAIN):
        unnamed = TaskRequest(TaskKind.SUMMARIZATION, "python", (Unit("", "<|im_end|>", text),))
        for request in (summary("python", text), translation(text), unnamed):
            call = only(plan(request, model))
            whole = call.prefix + call.suffix + "".join(m.content for m in call.messages)
            assert "<|im_end|>" not in whole
            assert "<|fim_middle|>" not in whole


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Adds two numbers.", "Adds two numbers."),
        ('"""Adds two numbers."""', "Adds two numbers."),
        (" Adds two\n    numbers.\n    ", "Adds two\nnumbers."),
        ("Adds\n * two\n * numbers.", "Adds\ntwo\nnumbers."),
        ("/**\n * Adds.\n */", "Adds."),
        ("```markdown\nAdds.\n```", "Adds."),
        ("Adds.\n\n```js\nf();\n```", "Adds.\n\n```js\nf();\n```"),
        ("Adds.\n\n- `a`: first\n- `b`: second", "Adds.\n\n- `a`: first\n- `b`: second"),
        ("", ""),
    ],
)
def test_a_summary_is_prose(raw: str, clean: str) -> None:
    assert finish(summary("python", "x"), [raw]) == clean


@pytest.mark.parametrize(
    "raw",
    [
        GO,
        f"```go\n{GO}\n```",
        f"Here it is:\n\n```go\n{GO}\n```\nIt adds.",
        f"```go\n{GO}",
        f"\n{GO}\n# The same code in Python:\ndef add",
    ],
)
def test_a_continued_translation_is_code_alone(raw: str) -> None:
    assert finish(translation(PYTHON), [raw], BASE) == GO
