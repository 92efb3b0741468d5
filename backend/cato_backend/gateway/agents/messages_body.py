"""The body of `POST /v1/messages` (Anthropic's Messages API): the fields that are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from cato_backend.gateway.bodies import OpenBody
from cato_backend.wire.headers import ALIAS

_MOST_TOKENS = 1_000_000


class TextBlock(OpenBody):
    """`text`."""

    type: Literal["text"]
    text: str


class ImageSource(OpenBody):
    """`source` of an image."""

    type: Literal["base64", "url"]
    media_type: str = "image/png"
    data: str = ""
    url: str = ""

    @property
    def address(self) -> str:
        """Return the image as a URL."""
        return self.url if self.type == "url" else f"data:{self.media_type};base64,{self.data}"


class ImageBlock(OpenBody):
    """`image`."""

    type: Literal["image"]
    source: ImageSource


class TextSource(OpenBody):
    """`source` of a document: plain text is the only one that is read here."""

    type: Literal["text"]
    data: str


class DocumentBlock(OpenBody):
    """`document`."""

    type: Literal["document"]
    source: TextSource


class ThinkingBlock(OpenBody):
    """`thinking`."""

    type: Literal["thinking"]
    thinking: str


class RedactedThinkingBlock(OpenBody):
    """`redacted_thinking`: only Anthropic's own models can read it."""

    type: Literal["redacted_thinking"]


class ToolUseBlock(OpenBody):
    """`tool_use`."""

    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]


def _listed(value: object) -> object:
    """Return a text as the list of blocks that it stands for."""
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


ShownBlock = Annotated[TextBlock | ImageBlock | DocumentBlock, Field(discriminator="type")]
ShownBlocks = Annotated[
    list[ShownBlock], BeforeValidator(_listed, json_schema_input_type=str | list[ShownBlock])
]


class ToolResultBlock(OpenBody):
    """`tool_result`."""

    type: Literal["tool_result"]
    tool_use_id: str
    content: ShownBlocks | None = None


MessageBlock = Annotated[
    TextBlock
    | ImageBlock
    | DocumentBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ToolResultBlock,
    Field(discriminator="type"),
]
MessageBlocks = Annotated[
    list[MessageBlock], BeforeValidator(_listed, json_schema_input_type=str | list[MessageBlock])
]
SystemBlocks = Annotated[
    list[TextBlock], BeforeValidator(_listed, json_schema_input_type=str | list[TextBlock])
]


class AgentMessage(OpenBody):
    """`messages[]`."""

    role: Literal["user", "assistant", "system"]
    content: MessageBlocks


class AgentTool(OpenBody):
    """`tools[]`: one that the client runs itself."""

    name: str = Field(min_length=1)
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = Field(default=None, validate_default=True)

    @field_validator("input_schema")
    @classmethod
    def _is_described(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any]:
        if value is None:
            name = info.data.get("type") or info.data.get("name")
            raise ValueError(
                f"expected the schema of {name!r}; tools of Anthropic's own servers do not run here"
            )
        return value


class AgentToolChoice(OpenBody):
    """`tool_choice`."""

    type: Literal["auto", "any", "tool", "none"]
    name: str = ""
    disable_parallel_tool_use: bool | None = None


class OutputFormat(OpenBody):
    """`output_config.format`."""

    type: Literal["json_schema"]
    json_schema: dict[str, Any] = Field(alias="schema")


class OutputConfig(OpenBody):
    """`output_config`."""

    format: OutputFormat | None = None


class CountTokensBody(OpenBody):
    """The body of `POST /v1/messages/count_tokens`."""

    model: str = Field(default=ALIAS, min_length=1, max_length=500)
    messages: list[AgentMessage] = Field(min_length=1)
    system: SystemBlocks | None = None
    tools: list[AgentTool] | None = None
    tool_choice: AgentToolChoice | None = None


class MessagesBody(CountTokensBody):
    """The body of `POST /v1/messages`."""

    max_tokens: int = Field(ge=1, le=_MOST_TOKENS)
    stream: bool | None = None
    stop_sequences: list[str] | None = Field(default=None, max_length=64)
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=1, le=_MOST_TOKENS)] | None = None
    output_config: OutputConfig | None = None
