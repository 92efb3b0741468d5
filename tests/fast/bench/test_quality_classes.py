"""Classes of tasks: which answers are right."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bench.quality import classes
from bench.quality.asking import Answer, Client
from bench.quality.problems import Function, Hole
from bench.quality.verdicts import Verdict
from cato_backend.wire.tasks import Diagnostic, TaskKind

ADD = Function(
    "Python/0",
    {
        "prompt": '\n\ndef add(a, b):\n    """Return the sum of the numbers a and b."""\n',
        "canonical_solution": "    return a + b\n",
        "declaration": "def add(a, b):\n",
        "text": "Return the sum of the numbers a and b.",
        "test": "def check(add):\n    assert add(1, 2) == 3\n\ncheck(add)",
    },
    {},
)
pytestmark = pytest.mark.timeout(1200)
"""Code is run in processes of its own, which may wait long on a busy machine."""

BARE = "def add(a, b):\n    return a + b\n"


@dataclass
class Scripted(Client):
    """Gives the same answer to everything."""

    answer: Answer

    async def completion(self, before: str, after: str) -> str:
        return self.answer.text

    async def task(
        self,
        kind: TaskKind,
        text: str,
        name: str,
        *,
        target: str | None = None,
        diagnostic: Diagnostic | None = None,
    ) -> Answer:
        return self.answer


def test_a_function_without_its_docstring_is_the_same_function() -> None:
    assert ADD.bare == BARE


@pytest.mark.parametrize(
    ("assertion", "verdict"),
    [
        ("assert add(1, 2) == 3", Verdict.RIGHT),
        ("assert add(1, 2) == 4", Verdict.WRONG),
        ("assert True", Verdict.WRONG),
        ("assert ad(1, 2) == 3", Verdict.BROKEN),
    ],
)
async def test_written_tests_hold_of_the_function_alone(assertion: str, verdict: Verdict) -> None:
    text = f"from maths import add\n\ndef test_add():\n    {assertion}\n"
    assert (await classes.tests(Scripted(Answer(text, "")), ADD)).verdict is verdict


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (
            'def add(a, b):\n    """Return the sum of the numbers a and b."""\n    return a + b\n',
            Verdict.RIGHT,
        ),
        (
            'def add(a, b):\n    """Return the sum of the numbers a and b."""\n    return a - b\n',
            Verdict.BROKEN,
        ),
        (BARE, Verdict.NONE),
    ],
)
async def test_documentation_leaves_the_code_alone(document: str, verdict: Verdict) -> None:
    assert (await classes.documentation(Scripted(Answer("...", document)), ADD)).verdict is verdict


async def test_a_fix_is_run_and_a_task_that_failed_has_no_answer() -> None:
    fixed = await classes.fix(Scripted(Answer("...", BARE)), ADD)
    failed = await classes.fix(Scripted(Answer("", BARE, "it was cut off")), ADD)
    assert fixed.verdict is Verdict.RIGHT
    assert (failed.verdict, failed.note) == (Verdict.NONE, "it was cut off")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("return a + b", Verdict.RIGHT),
        ("return b + a", Verdict.RIGHT),
        ("return a", Verdict.WRONG),
        (" ", Verdict.NONE),
    ],
)
async def test_a_line_is_the_same_or_passes_the_tests(text: str, verdict: Verdict) -> None:
    hole = Hole("0", "def add(a, b):\n    ", "return a + b", "\n\n", "assert add(1, 2) == 3\n")
    assert (await classes.line(Scripted(Answer(text, "")), hole)).verdict is verdict


async def test_a_function_may_take_several_suggestions() -> None:
    code = "total = globals().get('total', 0) + 1\n    if a: return a + b"
    assert (await classes.body(Scripted(Answer(code, "")), ADD)).verdict is Verdict.RIGHT
