"""The body of `POST /v1/tasks`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from cato_backend.gateway.bodies import OpenBody
from cato_backend.wire.headers import ALIAS, MOST_OUTPUT_TOKENS, Task
from cato_backend.wire.tasks import TaskRequest, Unit

MAX_UNITS = 64
MAX_TEXT_CHARS = 1_000_000
_MAX_TOKENS = 16_384

Language = Annotated[str, Field(pattern=r"^[A-Za-z0-9+#_.-]{1,64}$")]


class UnitBody(OpenBody):
    """`units[]`: one piece of source."""

    name: str = Field(default="", max_length=200)
    kind: str = Field(default="function", min_length=1, max_length=64)
    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARS, pattern=r"\S")
    output_tokens: int | None = Field(default=None, ge=1, le=MOST_OUTPUT_TOKENS)
    """The client's own estimate of the unit's answer."""


class TaskBody(OpenBody):
    """A whole task; see `wire.tasks`."""

    task: Literal["summarization", "translation"]
    language: Language
    target_language: Language | None = Field(default=None, validate_default=True)
    units: list[UnitBody] = Field(min_length=1, max_length=MAX_UNITS)
    context: str = Field(default="", max_length=MAX_TEXT_CHARS)
    model: str = Field(default=ALIAS, min_length=1, max_length=500)
    max_tokens: int | None = Field(default=None, ge=1, le=_MAX_TOKENS)

    @field_validator("target_language")
    @classmethod
    def _translations_have_a_target(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("task") == Task.TRANSLATION:
            raise ValueError("expected a language identifier such as python")
        return value

    @field_validator("units")
    @classmethod
    def _are_bounded_together(cls, value: list[UnitBody]) -> list[UnitBody]:
        if sum(len(unit.text) for unit in value) > MAX_TEXT_CHARS:
            raise ValueError(f"expected at most {MAX_TEXT_CHARS} characters together")
        return value

    def request(self) -> TaskRequest:
        """The task as the rest of the gateway knows it."""
        return TaskRequest(
            task=Task(self.task),
            language=self.language,
            units=tuple(
                Unit(unit.name, unit.kind, unit.text, unit.output_tokens) for unit in self.units
            ),
            target_language=self.target_language,
            context=self.context,
            limits={} if self.max_tokens is None else {"max_tokens": self.max_tokens},
        )
