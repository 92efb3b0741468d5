"""The body of `POST /v1/tasks`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from cato_backend.gateway.bodies import OpenBody
from cato_backend.wire.headers import ALIAS, MOST_OUTPUT_TOKENS
from cato_backend.wire.tasks import Diagnostic, TaskKind, TaskRequest, Unit

MAX_UNITS = 64
MAX_TEXT_CHARS = 1_000_000
_MAX_TOKENS = 16_384
_MAX_DIAGNOSTICS = 64
_MAX_INSTRUCTION_CHARS = 20_000

Language = Annotated[str, Field(pattern=r"^[A-Za-z0-9+#_.-]{1,64}$")]
LineNumber = Annotated[int, Field(ge=0, le=MAX_TEXT_CHARS)]


class DiagnosticBody(OpenBody):
    """`units[].diagnostics[]`: what is to be fixed."""

    line: int = Field(ge=1, le=MAX_TEXT_CHARS)
    message: str = Field(min_length=1, max_length=2000)


class UnitBody(OpenBody):
    """`units[]`: one piece of source."""

    name: str = Field(default="", max_length=200)
    kind: str = Field(default="function", min_length=1, max_length=64)
    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARS, pattern=r"\S")
    output_tokens: int | None = Field(default=None, ge=1, le=MOST_OUTPUT_TOKENS)
    """The client's own estimate of the unit's answer."""
    signature: str = Field(default="", max_length=10_000)
    uses: list[Annotated[int, Field(ge=0, lt=MAX_UNITS)]] = Field(
        default_factory=list[int], max_length=MAX_UNITS
    )
    """The indexes of the units that it uses."""
    breaks: list[LineNumber] = Field(default_factory=list[int], max_length=100_000)
    """Lines, counted from 0, at which a statement begins."""
    diagnostics: list[DiagnosticBody] = Field(
        default_factory=list[DiagnosticBody], max_length=_MAX_DIAGNOSTICS
    )

    def unit(self) -> Unit:
        """Returns the unit as the rest of the backend knows it."""
        return Unit(
            name=self.name,
            kind=self.kind,
            text=self.text,
            output_tokens=self.output_tokens,
            signature=self.signature,
            uses=tuple(self.uses),
            breaks=tuple(self.breaks),
            diagnostics=tuple(Diagnostic(said.line, said.message) for said in self.diagnostics),
        )


class TaskBody(OpenBody):
    """A whole task; see `wire.tasks`."""

    task: TaskKind = Field(strict=False)
    language: Language
    target_language: Language | None = Field(default=None, validate_default=True)
    instruction: str = Field(default="", max_length=_MAX_INSTRUCTION_CHARS, validate_default=True)
    units: list[UnitBody] = Field(min_length=1, max_length=MAX_UNITS)
    context: str = Field(default="", max_length=MAX_TEXT_CHARS)
    model: str = Field(default=ALIAS, min_length=1, max_length=500)
    max_tokens: int | None = Field(default=None, ge=1, le=_MAX_TOKENS)

    @field_validator("target_language")
    @classmethod
    def _translations_have_a_target(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("task") is TaskKind.TRANSLATION:
            raise ValueError("expected a language identifier such as python")
        return value

    @field_validator("instruction")
    @classmethod
    def _generations_have_an_instruction(cls, value: str, info: ValidationInfo) -> str:
        if not value.strip() and info.data.get("task") is TaskKind.GENERATION:
            raise ValueError("expected what to generate, in words")
        return value

    @field_validator("units")
    @classmethod
    def _belong_together(cls, value: list[UnitBody]) -> list[UnitBody]:
        if sum(len(unit.text) for unit in value) > MAX_TEXT_CHARS:
            raise ValueError(f"expected at most {MAX_TEXT_CHARS} characters together")
        for unit in value:
            if any(used >= len(value) for used in unit.uses):
                raise ValueError(f"expected uses to be indexes of the {len(value)} units")
        return value

    def request(self) -> TaskRequest:
        """The task as the rest of the backend knows it."""
        return TaskRequest(
            task=self.task,
            language=self.language,
            units=tuple(unit.unit() for unit in self.units),
            target_language=self.target_language,
            context=self.context,
            limits={} if self.max_tokens is None else {"max_tokens": self.max_tokens},
            instruction=self.instruction,
        )
