"""The body of `POST /v1/responses` (OpenAI's Responses API): the fields and tools that are read.

A tool that takes plain text becomes a function with one parameter. A tool of a namespace has both
names joined. Tools that OpenAI's own servers run, such as web search, do not reach the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator

from cato_backend.gateway.bodies import MaxTokens, OpenBody
from cato_backend.wire.headers import ALIAS

CUSTOM_INPUT = "input"
"""The one parameter by which a model calls a tool that takes plain text."""


class ShownText(OpenBody):
    """A text of the user, of the model, or of a reasoning."""

    type: Literal["input_text", "output_text", "text", "summary_text", "reasoning_text"]
    text: str


class RefusalText(OpenBody):
    """`refusal`."""

    type: Literal["refusal"]
    refusal: str


class InputImage(OpenBody):
    """`input_image`, by its URL: files are not kept here."""

    type: Literal["input_image"]
    image_url: str


def _listed(value: object) -> object:
    """Return a text as the list of parts that it stands for."""
    return [{"type": "input_text", "text": value}] if isinstance(value, str) else value


InputPart = Annotated[ShownText | RefusalText | InputImage, Field(discriminator="type")]


InputParts = Annotated[
    list[InputPart], BeforeValidator(_listed, json_schema_input_type=str | list[InputPart])
]


class MessageItem(OpenBody):
    """A message; its `type` may be left out."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: InputParts


class ReasoningItem(OpenBody):
    """Reasoning of the model in an earlier turn."""

    type: Literal["reasoning"]
    summary: list[ShownText] = Field(default_factory=list[ShownText])
    content: list[ShownText] | None = None


class FunctionCallItem(OpenBody):
    """A call of a function."""

    type: Literal["function_call"]
    call_id: str
    name: str
    namespace: str | None = None
    arguments: str


class CustomCallItem(OpenBody):
    """A call of a tool that takes plain text."""

    type: Literal["custom_tool_call"]
    call_id: str
    name: str
    namespace: str | None = None
    input: str


class CallOutputItem(OpenBody):
    """The result of a function, or of a tool that takes plain text."""

    type: Literal["function_call_output", "custom_tool_call_output"]
    call_id: str
    output: InputParts


class ResponsesTool(OpenBody):
    """`tools[]`. Only those that the client runs itself reach the model."""

    type: str
    name: str = ""
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    tools: list[ResponsesTool] | None = None
    """The tools of a namespace."""


class AddedToolsItem(OpenBody):
    """Further tools, as Codex names them."""

    type: Literal["additional_tools"]
    tools: list[ResponsesTool]


def item_type(value: object) -> str | None:
    """Return the item's type; one with a role and without a type is a message."""
    if not isinstance(value, dict):
        return None
    fields = cast("dict[str, object]", value)
    found = fields.get("type")
    if found is None and "role" in fields:
        return "message"
    if found == "custom_tool_call_output":
        return "function_call_output"
    return found if isinstance(found, str) else None


InputItem = Annotated[
    Annotated[MessageItem, Tag("message")]
    | Annotated[ReasoningItem, Tag("reasoning")]
    | Annotated[FunctionCallItem, Tag("function_call")]
    | Annotated[CustomCallItem, Tag("custom_tool_call")]
    | Annotated[CallOutputItem, Tag("function_call_output")]
    | Annotated[AddedToolsItem, Tag("additional_tools")],
    Discriminator(item_type),
]


def _messages(value: object) -> object:
    """Return a text as the user's message that it stands for."""
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


InputItems = Annotated[
    list[InputItem],
    Field(min_length=1),
    BeforeValidator(_messages, json_schema_input_type=str | list[InputItem]),
]


class ReasoningOptions(OpenBody):
    """`reasoning`."""

    effort: str | None = None
    summary: str | None = None


class TextFormat(OpenBody):
    """`text.format`."""

    type: Literal["text", "json_object", "json_schema"]
    name: str = "answer"
    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class TextOptions(OpenBody):
    """`text`."""

    format: TextFormat | None = None


class ResponsesBody(OpenBody):
    """The body of `POST /v1/responses`."""

    model: str = Field(default=ALIAS, min_length=1, max_length=500)
    input: InputItems
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: MaxTokens = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    tools: list[ResponsesTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: ReasoningOptions | None = None
    text: TextOptions | None = None
    metadata: dict[str, str] | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    background: bool | None = None

    @field_validator("previous_response_id", "conversation", "prompt", "background")
    @classmethod
    def _is_not_kept(cls, value: object) -> object:
        if value:
            raise ValueError("expected none: no response is kept here; send the whole input")
        return value


_PLAIN_TEXT = {
    "type": "object",
    "properties": {CUSTOM_INPUT: {"type": "string"}},
    "required": [CUSTOM_INPUT],
}


class CalledTool(NamedTuple):
    """A tool as the client knows it."""

    name: str
    namespace: str = ""
    is_custom: bool = False
    """Whether it takes plain text."""


class ToolTable:
    """The tools of one request by their names in the chat."""

    def __init__(self, body: ResponsesBody) -> None:
        self._tools: list[tuple[str, ResponsesTool]] = []
        self._called: dict[str, CalledTool] = {}
        added = [item.tools for item in body.input if isinstance(item, AddedToolsItem)]
        for tools in (body.tools or [], *added):
            for tool, namespace in _flat(tools, ""):
                name = chat_name(tool.name, namespace)
                self._called[name] = CalledTool(tool.name, namespace, tool.type == "custom")
                self._tools.append((name, tool))

    @property
    def functions(self) -> list[dict[str, Any]]:
        """The tools as a chat's `tools`."""
        return [
            {"type": "function", "function": _function(tool, name)} for name, tool in self._tools
        ]

    def called(self, name: str) -> CalledTool:
        """Return the tool that the model calls; an unknown name stands for itself."""
        return self._called.get(name) or CalledTool(name)


def chat_name(name: str, namespace: str | None) -> str:
    """Return a tool's name in the chat."""
    return f"{namespace}__{name}" if namespace else name


def _flat(tools: Iterable[ResponsesTool], namespace: str) -> Iterator[tuple[ResponsesTool, str]]:
    """Yield the tools that the client runs, each with its namespace."""
    for tool in tools:
        if tool.type in ("function", "custom"):
            yield tool, namespace
        elif tool.type == "namespace" and not namespace:
            yield from _flat(tool.tools or (), tool.name)


def _function(tool: ResponsesTool, name: str) -> dict[str, Any]:
    parameters = _PLAIN_TEXT if tool.type == "custom" else tool.parameters or {"type": "object"}
    named = {"description": tool.description, "strict": tool.strict}
    told = {key: value for key, value in named.items() if value is not None}
    return {"name": name, "parameters": parameters, **told}
