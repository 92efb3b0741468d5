"""A bad body of /v1/tasks is refused with the path of the field."""

from __future__ import annotations

from typing import Any

import pytest

from cato_backend.errors import InvalidRequest
from cato_backend.gateway.incoming import validated
from cato_backend.gateway.tasks import MAX_UNITS, TaskBody
from cato_backend.wire.tasks import Diagnostic, TaskKind, TaskRequest, Unit

UNIT = {"name": "f", "kind": "function", "text": "def f(): pass"}
SUMMARY: dict[str, Any] = {"task": "summarization", "language": "python", "units": [UNIT]}
TRANSLATION = {**SUMMARY, "task": "translation", "target_language": "go"}


def test_what_the_client_sends_comes_back_whole() -> None:
    request = TaskRequest(
        task=TaskKind.TRANSLATION,
        language="python",
        units=(
            Unit("f", "function", "def f(): pass", signature="def f()", uses=(1,), breaks=(0,)),
            Unit("", "class", "class A: pass", diagnostics=(Diagnostic(1, "unused"),)),
        ),
        target_language="typescript",
        context="import os",
        limits={"max_tokens": 99},
        instruction="keep it short",
    )
    assert parsed(request.body()) == request


def test_name_kind_and_unknown_fields_are_optional() -> None:
    body = {**SUMMARY, "units": [{"text": "x"}], "frobnicate": 1}
    assert parsed(body).units == (Unit("", "function", "x"),)


def parsed(body: dict[str, Any]) -> TaskRequest:
    return validated(TaskBody, body).request()


BAD = [
    ({**SUMMARY, "task": None}, "task"),
    ({**SUMMARY, "task": "completion"}, "task"),
    ({**SUMMARY, "task": ["summarization"]}, "task"),
    ({**SUMMARY, "language": ""}, "language"),
    ({**SUMMARY, "language": "py\nthon"}, "language"),
    ({**SUMMARY, "language": 3}, "language"),
    ({**SUMMARY, "language": "python\n"}, "language"),
    ({**SUMMARY, "model": 5}, "model"),
    ({**SUMMARY, "model": ""}, "model"),
    ({**SUMMARY, "target_language": 3}, "target_language"),
    ({**TRANSLATION, "target_language": None}, "target_language"),
    ({**SUMMARY, "units": None}, "units"),
    ({**SUMMARY, "units": []}, "units"),
    ({**SUMMARY, "units": [UNIT] * (MAX_UNITS + 1)}, "units"),
    ({**SUMMARY, "units": [UNIT, "x"]}, "units[1]"),
    ({**SUMMARY, "units": [UNIT, {**UNIT, "text": None}]}, "units[1].text"),
    ({**SUMMARY, "units": [{**UNIT, "text": " \n"}]}, "units[0].text"),
    ({**SUMMARY, "units": [{**UNIT, "text": "x" * 1_000_001}]}, "units[0].text"),
    ({**SUMMARY, "units": [{**UNIT, "text": "x" * 600_000}] * 2}, "units"),
    ({**SUMMARY, "units": [{**UNIT, "name": 1}]}, "units[0].name"),
    ({**SUMMARY, "units": [{**UNIT, "kind": ""}]}, "units[0].kind"),
    ({**SUMMARY, "context": {}}, "context"),
    ({**SUMMARY, "units": [{**UNIT, "uses": [1]}]}, "units"),
    ({**SUMMARY, "units": [{**UNIT, "uses": [-1]}]}, "units[0].uses[0]"),
    ({**SUMMARY, "units": [{**UNIT, "breaks": ["1"]}]}, "units[0].breaks[0]"),
    ({**SUMMARY, "units": [{**UNIT, "signature": 1}]}, "units[0].signature"),
    (
        {**SUMMARY, "units": [{**UNIT, "diagnostics": [{"line": 0, "message": "x"}]}]},
        "units[0].diagnostics[0].line",
    ),
    ({**SUMMARY, "task": "generation"}, "instruction"),
    ({**SUMMARY, "task": "generation", "instruction": " "}, "instruction"),
    ({**SUMMARY, "instruction": 1}, "instruction"),
    ({**SUMMARY, "max_tokens": 0}, "max_tokens"),
    ({**SUMMARY, "max_tokens": True}, "max_tokens"),
    ({**SUMMARY, "max_tokens": 1.5}, "max_tokens"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_a_bad_field_is_named(body: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parsed(body)
    assert refused.value.param == field
    assert refused.value.message.startswith(f"{field}: got ")


def test_no_code_is_in_the_message() -> None:
    secret = "password = 'hunter2'" * 10
    with pytest.raises(InvalidRequest) as refused:
        parsed({**SUMMARY, "units": secret})
    assert "hunter2" not in refused.value.message


def test_a_list_that_is_too_short_is_named_in_plain_words() -> None:
    with pytest.raises(InvalidRequest, match=r"^units: got list, expected at least 1 item$"):
        parsed({**SUMMARY, "units": []})
