"""Request bodies of model calls: fields that the gateway reads are checked, others are passed on.

The same models are the request bodies of the OpenAPI document.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from cato_backend.wire.headers import ALIAS, CancelReason

_MOST_TOKENS = 1_000_000
_LARGEST_TOKEN_ID = 2**31 - 1
_MOST_STOP_TOKENS = 1024
_NOT_FOR_THE_ENGINE = frozenset({"suffix", "cato"})

ItemT = TypeVar("ItemT")
NonEmpty = Annotated[list[ItemT], Field(min_length=1, max_length=_MOST_TOKENS)]
TokenId = Annotated[int, Field(ge=0, le=_LARGEST_TOKEN_ID)]
Stop = str | Annotated[list[str], Field(max_length=64)] | None
MaxTokens = Annotated[int, Field(ge=1, le=_MOST_TOKENS)] | None


class OpenBody(BaseModel):
    """A body whose other fields are passed on."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class StrictBody(BaseModel):
    """A body that has no other fields; an unknown one is refused by its name."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ContextPiece(StrictBody):
    """`cato.context[]`: a piece of another file."""

    path: str = Field(max_length=4096)
    text: str


class CatoField(StrictBody):
    """`cato`: extensions of this gateway."""

    context: list[ContextPiece] = Field(default_factory=list[ContextPiece], max_length=256)
    stop: Stop = None


class StreamOptions(OpenBody):
    """`stream_options`."""

    include_usage: bool | None = None


class _ModelCall(OpenBody):
    model: str = Field(default=ALIAS, min_length=1, max_length=500)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: MaxTokens = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    stop: Stop = None
    stop_token_ids: Annotated[list[TokenId], Field(max_length=_MOST_STOP_TOKENS)] | None = None
    min_tokens: Annotated[int, Field(ge=0, le=_MOST_TOKENS)] | None = None
    return_token_ids: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    cato: CatoField | None = None


class CompletionBody(_ModelCall):
    """The body of `POST /v1/completions`."""

    prompt: str | NonEmpty[TokenId] | NonEmpty[str] | NonEmpty[list[TokenId]]
    suffix: str | None = None
    best_of: Annotated[int, Field(ge=1)] | None = None


class WarmBody(StrictBody):
    """The body of `POST /v1/warm`."""

    model: str = Field(default=ALIAS, min_length=1, max_length=500)
    prompt: str
    suffix: str | None = None
    max_tokens: int = Field(default=256, ge=1, le=_MOST_TOKENS)
    cato: CatoField | None = None


class ChatMessage(OpenBody):
    """One message of a chat."""

    role: str = Field(min_length=1)
    content: str | list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """The text of the message, without images and other parts."""
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

    messages: list[ChatMessage] = Field(min_length=1)
    max_completion_tokens: MaxTokens = None
    tools: list[Any] | None = None


class CancelBody(OpenBody):
    """The body of `POST /v1/requests/{id}/cancel`."""

    reason: CancelReason = Field(default=CancelReason.CLOSED, strict=False)


def for_engine(value: dict[str, Any]) -> dict[str, Any]:
    """Return the body without what only the gateway understands."""
    return {key: item for key, item in value.items() if key not in _NOT_FOR_THE_ENGINE}
