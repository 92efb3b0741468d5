"""How long the answers of a whole task's calls are expected to be."""

from __future__ import annotations

import pytest

from cato_backend.errors import InvalidRequest
from cato_backend.gateway.incoming import validated
from cato_backend.gateway.tasks import TaskBody
from cato_backend.tasks.plans import Answers, Composed, ModelCall, TaskPlan, TaskStep
from cato_backend.tasks.whole import expected_tokens, with_expected_tokens
from cato_backend.wire.tasks import TaskKind, TaskRequest, Unit


def expected(
    task: TaskKind, lengths: list[int], own: list[int | None], whole: int | None = None
) -> list[int | None]:
    units = tuple(
        Unit("f", "function", "x" * length, tokens)
        for length, tokens in zip(lengths, own, strict=True)
    )
    target = "java" if task is TaskKind.TRANSLATION else None
    request = TaskRequest(task, "python", units, target_language=target)
    return list(expected_tokens(request, whole, chars_per_token=4.0))


@pytest.mark.parametrize(
    ("lengths", "own", "whole", "tokens"),
    [
        ([400], [None], None, [183]),
        ([400, 800], [None, None], None, [183, 358]),
        ([400], [77], None, [77]),
        ([400], [None], 300, [300]),
        ([400, 800], [None, None], 300, [100, 200]),
        ([400, 800], [50, None], 300, [50, 250]),
        ([400, 800], [50, 60], 300, [50, 60]),
        ([400, 800], [500, None], 300, [500, 358]),
    ],
)
def test_a_translation(
    lengths: list[int], own: list[int | None], whole: int | None, tokens: list[int]
) -> None:
    assert expected(TaskKind.TRANSLATION, lengths, own, whole) == tokens


def test_a_summary_s_length_is_known_only_if_the_client_tells_it() -> None:
    assert expected(TaskKind.SUMMARIZATION, [400, 800], [None, 60]) == [None, 60]
    assert expected(TaskKind.SUMMARIZATION, [400, 400], [None, None], 100) == [50, 50]


def test_a_unit_s_estimate_travels() -> None:
    unit = Unit("f", "function", "def f(): ...", 12)
    request = TaskRequest(
        TaskKind.SUMMARIZATION, "python", (unit, Unit("g", "function", "def g(): 1"))
    )
    assert validated(TaskBody, request.body()).request() == request


def test_the_steps_of_a_unit_share_what_is_expected_of_it() -> None:
    """Steps about all units, and those whose answer is not shown, have no expectation."""
    places = [(0, True), (0, True), (0, False), (1, True), (2, True), (None, True)]
    steps = tuple(TaskStep(_asked, 100, 64, unit, shown) for unit, shown in places)
    plan = TaskPlan(steps, (tuple(range(len(steps))),), lambda _: Composed("", ()))
    told = [step.expected_tokens for step in with_expected_tokens(plan, [90, 40, None]).steps]
    assert told == [45, 45, None, 40, None, None]


def _asked(_: Answers) -> ModelCall:
    raise NotImplementedError


@pytest.mark.parametrize("value", [0, -1, 131_073, 1.5, "9", True])
def test_a_bad_estimate_is_refused_by_its_path(value: object) -> None:
    unit = {"name": "f", "kind": "function", "text": "def f(): ...", "output_tokens": value}
    body = {"task": "summarization", "language": "python", "units": [unit]}
    with pytest.raises(InvalidRequest) as refused:
        validated(TaskBody, body)
    assert refused.value.param == "units[0].output_tokens"
