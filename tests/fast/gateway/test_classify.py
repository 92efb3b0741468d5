"""Which class a request gets whose client names none."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.config import TargetsConfig
from cato_backend.gateway.classify import INSTRUCTION_CHARS, ONE_LINE_TOKENS, Shape
from cato_backend.gateway.drafts import chat_draft, completion_draft
from cato_backend.gateway.headers import parse_headers
from cato_backend.tasks.families import FORMATS
from cato_backend.tasks.fim import FimFormat, FimOrder
from cato_backend.tasks.infill import ContextFile, render
from cato_backend.wire.headers import Task
from tests.data.clients import ClientRequest, client_requests

COMPLETION, GENERATION, AGENT = Task.COMPLETION, Task.GENERATION, Task.AGENT
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
ASK = {"role": "user", "content": "Is it warm?"}


def shape(request: ClientRequest) -> Shape:
    draft = completion_draft if request.path == "/v1/completions" else chat_draft
    return draft(request.body).shape


def completion(**body: Any) -> Task:
    return completion_draft({"prompt": "def add(a, b):\n", **body}).shape.task


def chat(*, from_agent: bool = False, **body: Any) -> Task:
    found = chat_draft({"messages": [ASK], **body}).shape
    return found.task_of(from_agent=from_agent)


@pytest.mark.parametrize("request_", client_requests(), ids=lambda request: request.name)
def test_what_editors_and_agents_send(request_: ClientRequest) -> None:
    given = parse_headers(request_.headers, "")
    assert shape(request_).task_of(from_agent=given.from_agent) is request_.task
    assert given.origin.session == request_.session
    assert given.task is None


@pytest.mark.parametrize("order", FimOrder)
@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
@pytest.mark.parametrize("context", [(), (ContextFile("b.py", "B = 1\n"),)])
def test_every_family_s_infill_is_a_completion(
    known: FimFormat, order: FimOrder, context: tuple[ContextFile, ...]
) -> None:
    prompt = render(known, "def add(a, b):\n    ", "\n\nprint(add(1, 2))\n", context, order).text
    found = completion_draft({"prompt": prompt}).shape
    assert found.task is COMPLETION
    assert found.cursor is not None
    assert found.cursor.prefix.endswith("def add(a, b):\n    ")
    assert found.cursor.suffix == "\n\nprint(add(1, 2))\n"


@pytest.mark.parametrize(
    ("body", "task"),
    [
        ({}, GENERATION),
        ({"suffix": "\nprint(1)\n"}, COMPLETION),
        ({"suffix": ""}, COMPLETION),
        ({"suffix": None}, GENERATION),
        ({"cato": {}}, COMPLETION),
        ({"max_tokens": 32, "stop": "\n"}, COMPLETION),
        ({"max_tokens": ONE_LINE_TOKENS, "stop": ["\r\n", "x"]}, COMPLETION),
        ({"stop": ["\n"]}, COMPLETION),
        ({"max_tokens": ONE_LINE_TOKENS + 1, "stop": "\n"}, GENERATION),
        ({"max_tokens": 32}, GENERATION),
        ({"max_tokens": 32, "stop": "\n\n"}, GENERATION),
        ({"prompt": "<|repo_name|>r\n<|file_sep|>a.py\nimport "}, COMPLETION),
        ({"prompt": "<file_sep>a.py\nimport "}, COMPLETION),
        ({"prompt": "What does <|file_sep|> mean?"}, GENERATION),
        ({"prompt": "if a < b and <PRE> or <MID>"}, GENERATION),
        ({"prompt": [1, 2, 3], "max_tokens": 8, "stop": "\n"}, GENERATION),
        ({"prompt": ["a", "b"], "max_tokens": 8, "stop": "\n"}, GENERATION),
        ({"prompt": "x" * 300_000 + "<fim_prefix>a<fim_suffix>b<fim_middle>"}, GENERATION),
    ],
)
def test_the_shape_of_a_completion_body(body: dict[str, Any], task: Task) -> None:
    assert completion(**body) is task


@pytest.mark.parametrize("body", [{"n": 2}, {"best_of": 3}, {"n": 1, "best_of": 2}])
def test_several_answers_are_a_completion_that_nothing_continues(body: dict[str, Any]) -> None:
    found = completion_draft({"prompt": "a", "suffix": "b", **body}).shape
    assert found.task is COMPLETION
    assert found.cursor is None


@pytest.mark.parametrize(
    ("body", "task"),
    [
        ({}, GENERATION),
        ({"tools": []}, GENERATION),
        ({"tools": None}, GENERATION),
        ({"tools": [TOOL]}, GENERATION),
        ({"tools": [TOOL] * 200}, AGENT),
        ({"messages": [{"role": "system", "content": "x" * INSTRUCTION_CHARS}, ASK]}, GENERATION),
        (
            {
                "messages": [{"role": "system", "content": "x" * INSTRUCTION_CHARS}, ASK],
                "tools": [TOOL],
            },
            AGENT,
        ),
        (
            {
                "messages": [{"role": "user", "content": "x" * INSTRUCTION_CHARS}],
                "tools": [TOOL],
            },
            GENERATION,
        ),
    ],
)
def test_the_shape_of_a_chat(body: dict[str, Any], task: Task) -> None:
    assert chat(**body) is task


@pytest.mark.parametrize(
    ("body", "task"),
    [({}, GENERATION), ({"tools": []}, GENERATION), ({"tools": [TOOL]}, AGENT)],
)
def test_a_chat_of_a_coding_agent(body: dict[str, Any], task: Task) -> None:
    assert chat(from_agent=True, **body) is task


def test_every_class_has_a_target() -> None:
    for task in Task:
        assert parse_headers({}, "").of_task(task, TargetsConfig()).target.budget_s > 0
