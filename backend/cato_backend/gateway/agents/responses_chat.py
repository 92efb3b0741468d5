"""Converts requests of OpenAI's Responses API to chats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import orjson

from cato_backend.errors import InvalidRequest
from cato_backend.gateway.agents.responses_body import (
    CUSTOM_INPUT,
    AddedToolsItem,
    CallOutputItem,
    CustomCallItem,
    FunctionCallItem,
    InputImage,
    InputItem,
    InputPart,
    MessageItem,
    ReasoningItem,
    ResponsesBody,
    ShownText,
    TextFormat,
    ToolTable,
    chat_name,
)

_BETWEEN = "\n\n"
_EFFORTS = frozenset({"low", "medium", "high"})
"""What every engine with this option knows."""


def chat_of(body: ResponsesBody) -> dict[str, Any]:
    """Return the body of the chat. Raises InvalidRequest."""
    chat: dict[str, Any] = {"messages": _messages(body)}
    tools = ToolTable(body).functions
    if tools:
        chat |= {"tools": tools, **_tool_choice(body.tool_choice)}
    effort = body.reasoning.effort if body.reasoning else None
    named = {
        "max_tokens": body.max_output_tokens,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "parallel_tool_calls": body.parallel_tool_calls if tools else None,
        "reasoning_effort": effort if effort in _EFFORTS else None,
        "response_format": _format(body.text.format if body.text else None),
    }
    chat |= {name: value for name, value in named.items() if value is not None}
    if body.stream:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    return chat


def _messages(body: ResponsesBody) -> list[dict[str, Any]]:
    """Return the chat's messages: instructions once in front, and each answer in one piece."""
    items = [item for item in body.input if not isinstance(item, AddedToolsItem)]
    instructions = [body.instructions] if body.instructions else []
    while items and isinstance(first := items[0], MessageItem) and _instructs(first):
        instructions.append(_text(first.content))
        del items[0]
    messages: list[dict[str, Any]] = []
    if instructions:
        messages.append({"role": "system", "content": _BETWEEN.join(instructions)})
    for item in items:
        if _is_of_model(item):
            if not messages or messages[-1]["role"] != "assistant":
                messages.append({"role": "assistant", "content": None})
            _add(messages[-1], item)
        else:
            messages.append(_question(item))
    if not messages or messages[-1] == {"role": "assistant", "content": None}:
        raise InvalidRequest("input: expected a message or a tool's output", param="input")
    for message in messages:
        if message["role"] == "assistant" and "tool_calls" not in message:
            message["content"] = message["content"] or ""
    return messages


def _instructs(item: MessageItem) -> bool:
    return item.role in ("system", "developer")


def _is_of_model(item: InputItem) -> bool:
    if isinstance(item, MessageItem):
        return item.role == "assistant"
    return not isinstance(item, CallOutputItem)


def _add(message: dict[str, Any], item: InputItem) -> None:
    """Add an item of the model's to the message that it is part of."""
    if isinstance(item, MessageItem):
        said = [message["content"]] if message["content"] else []
        message["content"] = _BETWEEN.join([*said, _text(item.content)])
    elif isinstance(item, ReasoningItem):
        thought = "".join(each.text for each in item.content or item.summary)
        if thought:
            message["reasoning"] = message["reasoning_content"] = thought
    elif isinstance(item, FunctionCallItem):
        _call(message, item, item.arguments)
    elif isinstance(item, CustomCallItem):
        arguments = orjson.dumps({CUSTOM_INPUT: item.input}).decode()
        _call(message, item, arguments)


def _call(message: dict[str, Any], item: FunctionCallItem | CustomCallItem, arguments: str) -> None:
    function = {"name": chat_name(item.name, item.namespace), "arguments": arguments}
    calls = message.setdefault("tool_calls", [])
    calls.append({"id": item.call_id, "type": "function", "function": function})


def _question(item: InputItem) -> dict[str, Any]:
    """Return what comes from the client. Many chat templates take a system message only in front.

    Raises InvalidRequest.
    """
    if isinstance(item, CallOutputItem):
        return {"role": "tool", "tool_call_id": item.call_id, "content": _text(item.output)}
    parts = item.content if isinstance(item, MessageItem) else []
    if any(isinstance(part, InputImage) for part in parts):
        return {"role": "user", "content": [_part(part) for part in parts]}
    return {"role": "user", "content": _text(parts)}


def _text(parts: Iterable[InputPart]) -> str:
    """Return the texts as one. Raises InvalidRequest for an image."""
    return _BETWEEN.join(_said(part) for part in parts)


def _said(part: InputPart) -> str:
    if isinstance(part, InputImage):
        raise InvalidRequest(
            "input: got input_image, expected text; images are taken in messages of the user",
            param="input",
        )
    return part.text if isinstance(part, ShownText) else part.refusal


def _part(part: InputPart) -> dict[str, Any]:
    if isinstance(part, InputImage):
        return {"type": "image_url", "image_url": {"url": part.image_url}}
    return {"type": "text", "text": _said(part)}


def _tool_choice(choice: str | Mapping[str, Any] | None) -> dict[str, Any]:
    if choice is None or isinstance(choice, str):
        return {"tool_choice": choice} if choice else {}
    if choice.get("type") == "allowed_tools":
        return {"tool_choice": choice.get("mode") or "auto"}
    name = cast("object", choice.get("name"))
    return {"tool_choice": {"type": "function", "function": {"name": name}}} if name else {}


def _format(wanted: TextFormat | None) -> dict[str, Any] | None:
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return {"type": "json_object"}
    schema = {"name": wanted.name, "schema": wanted.json_schema, "strict": wanted.strict}
    return {"type": "json_schema", "json_schema": schema}
