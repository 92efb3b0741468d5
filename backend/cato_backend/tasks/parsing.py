"""The body of `POST /v1/tasks`, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from cato_backend.errors import InvalidRequest
from cato_backend.wire.headers import MOST_OUTPUT_TOKENS, Task
from cato_backend.wire.tasks import TaskRequest, Unit

MAX_UNITS = 64
MAX_TEXT_CHARS = 1_000_000
MAX_TOKENS = 16_384
_TASKS = (Task.SUMMARIZATION, Task.TRANSLATION)
_LANGUAGE = re.compile(r"[A-Za-z0-9+#_.-]{1,64}")


def parse_task_request(body: Mapping[str, Any]) -> TaskRequest:
    """The request that the JSON body holds. Fields that are not known are left alone.

    Raises InvalidRequest; its `param` is the field's path, as in `units[0].text`.
    """
    task = _task(body.get("task"))
    target = body.get("target_language")
    if task is Task.TRANSLATION or target is not None:
        target = _language(target, "target_language")
    return TaskRequest(
        task=task,
        language=_language(body.get("language"), "language"),
        units=_units(body.get("units")),
        target_language=target,
        context=_text(body.get("context", ""), "context", least=0),
        limits=_limits(body),
    )


def _task(value: object) -> Task:
    if value not in [task.value for task in _TASKS]:
        raise _invalid("task", value, " or ".join(task.value for task in _TASKS))
    return Task(value)


def _language(value: object, field: str) -> str:
    if not isinstance(value, str) or _LANGUAGE.fullmatch(value) is None:
        raise _invalid(field, value, "a language identifier such as python")
    return value


def _units(value: object) -> tuple[Unit, ...]:
    if not isinstance(value, list):
        raise _invalid("units", value, "a list of units")
    items = cast("list[object]", value)
    if not 1 <= len(items) <= MAX_UNITS:
        raise _invalid("units", f"{len(items)} units", f"1 to {MAX_UNITS}")
    units = tuple(_unit(item, f"units[{index}]") for index, item in enumerate(items))
    if sum(len(unit.text) for unit in units) > MAX_TEXT_CHARS:
        raise _invalid("units", "a longer text", f"at most {MAX_TEXT_CHARS} characters together")
    return units


def _unit(value: object, field: str) -> Unit:
    if not isinstance(value, dict):
        raise _invalid(field, value, "an object with name, kind and text")
    item = cast("dict[str, object]", value)
    text = _text(item.get("text"), f"{field}.text")
    if not text.strip():
        raise _invalid(f"{field}.text", text, "source text")
    return Unit(
        name=_text(item.get("name", ""), f"{field}.name", least=0, most=200),
        kind=_text(item.get("kind", "function"), f"{field}.kind", most=64),
        text=text,
        output_tokens=_tokens(
            item.get("output_tokens"), f"{field}.output_tokens", MOST_OUTPUT_TOKENS
        ),
    )


def _text(value: object, field: str, *, least: int = 1, most: int = MAX_TEXT_CHARS) -> str:
    if not isinstance(value, str):
        raise _invalid(field, value, "a string")
    if not least <= len(value) <= most:
        raise _invalid(field, f"{len(value)} characters", f"{least} to {most} characters")
    return value


def _limits(body: Mapping[str, Any]) -> dict[str, int]:
    value = _tokens(body.get("max_tokens"), "max_tokens", MAX_TOKENS)
    return {} if value is None else {"max_tokens": value}


def _tokens(value: object, field: str, most: int) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise _invalid(field, value, f"an integer from 1 to {most}")
    return value


def _invalid(field: str, got: object, expected: str) -> InvalidRequest:
    """What was got is shown by its type where it could hold code."""
    shown = repr(got) if got is None or isinstance(got, int | float) else None
    if isinstance(got, str) and len(got) <= 40:
        shown = repr(got)
    return InvalidRequest(
        f"{field}: got {shown or type(got).__name__}, expected {expected}", param=field
    )
