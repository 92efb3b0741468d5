"""Request bodies: what the gateway itself reads of them is checked, the rest is the engine's."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, cast

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cato_backend.errors import InvalidRequest
from cato_backend.wire.headers import ALIAS

_MOST_TOKENS = 1_000_000
_NOT_FOR_THE_ENGINE = frozenset({"suffix", "cato"})

ItemT = TypeVar("ItemT")
NonEmpty = Annotated[list[ItemT], Field(min_length=1)]
TokenId = Annotated[int, Field(ge=0)]
Stop = str | Annotated[list[str], Field(max_length=64)] | None
MaxTokens = Annotated[int, Field(ge=1, le=_MOST_TOKENS)] | None


class _Body(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class ContextPiece(BaseModel):
    """`cato.context[]`: a piece of another file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    path: str = Field(max_length=4096)
    text: str


class CatoField(BaseModel):
    """`cato`: what only this gateway understands."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    context: list[ContextPiece] = Field(default_factory=list[ContextPiece], max_length=256)
    stop: Stop = None


class StreamOptions(_Body):
    """`stream_options`."""

    include_usage: bool | None = None


class _ModelCall(_Body):
    model: str = Field(default=ALIAS, min_length=1, max_length=500)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: MaxTokens = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    stop: Stop = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    cato: CatoField | None = None


class CompletionBody(_ModelCall):
    """The body of `POST /v1/completions`."""

    prompt: str | NonEmpty[TokenId] | NonEmpty[str] | NonEmpty[list[TokenId]]
    suffix: str | None = None
    best_of: Annotated[int, Field(ge=1)] | None = None


class WarmBody(BaseModel):
    """The body of `POST /v1/warm`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    model: str = Field(default=ALIAS, min_length=1, max_length=500)
    prompt: str
    suffix: str | None = None
    max_tokens: int = Field(default=256, ge=1, le=_MOST_TOKENS)
    cato: CatoField | None = None


class Message(_Body):
    """One message of a chat."""

    role: str = Field(min_length=1)
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """What it says; images and other parts left out."""
        if isinstance(self.content, str):
            return self.content
        parts = (part.get("text") for part in self.content or ())
        return "".join(part for part in parts if isinstance(part, str))

    @property
    def is_instruction(self) -> bool:
        """Whether it tells the model what to be, and stays the same for a whole conversation."""
        return self.role in ("system", "developer")


class ChatBody(_ModelCall):
    """The body of `POST /v1/chat/completions`."""

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: MaxTokens = None
    tools: list[Any] | None = None


BodyT = TypeVar("BodyT", bound=BaseModel)


def parse_json(data: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises InvalidRequest."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"body: not JSON: {error}", param="body") from error
    if not isinstance(value, dict):
        got = type(value).__name__
        raise InvalidRequest(f"body: got a JSON {got}, expected an object", param="body")
    return cast("dict[str, Any]", value)


def validated(kind: type[BodyT], value: dict[str, Any]) -> BodyT:
    """The checked body. Raises InvalidRequest naming the first bad field."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = field_name(first["loc"])
        raise InvalidRequest(f"{field}: {first['msg']}", param=field) from error


def for_engine(value: dict[str, Any]) -> dict[str, Any]:
    """The body without what only the gateway understands."""
    return {key: item for key, item in value.items() if key not in _NOT_FOR_THE_ENGINE}


def field_name(location: tuple[int | str, ...]) -> str:
    """`("messages", 0, "role")` as `messages[0].role`; alternatives of a union are left out."""
    name = ""
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        elif part.isidentifier() and part not in ("str", "int", "float", "constrained"):
            name += f".{part}" if name else part
    return name
