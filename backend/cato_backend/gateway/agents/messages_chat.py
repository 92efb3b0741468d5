"""Converts requests of Anthropic's Messages API to chats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from cato_backend.gateway.agents.messages_body import (
    AgentMessage,
    AgentTool,
    AgentToolChoice,
    CountTokensBody,
    DocumentBlock,
    ImageBlock,
    MessageBlock,
    MessagesBody,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)

_ATTRIBUTION = "x-anthropic-billing-header:"
"""Begins a block of Claude Code's system prompt that differs in each request. It is for Anthropic's
accounts, and would keep engines from reusing what they have computed for the prompts before."""
_BETWEEN = "\n\n"


def prompt_of(body: CountTokensBody) -> dict[str, Any]:
    """Return the messages and tools of a chat."""
    chat: dict[str, Any] = {"messages": [*_system(body), *_messages(body.messages)]}
    if body.tools:
        chat["tools"] = [_tool(tool) for tool in body.tools]
        chat |= _tool_choice(body.tool_choice)
    return chat


def chat_of(body: MessagesBody) -> dict[str, Any]:
    """Return the body of the chat."""
    chat = {**prompt_of(body), "max_tokens": body.max_tokens}
    named = {
        "stop": body.stop_sequences or None,
        "temperature": body.temperature,
        "top_p": body.top_p,
        "top_k": body.top_k,
    }
    chat |= {name: value for name, value in named.items() if value is not None}
    if body.output_config is not None and body.output_config.format is not None:
        schema = {"name": "answer", "schema": body.output_config.format.json_schema}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    if _is_begun(body.messages[-1]):  # vLLM continues with what the client has begun.
        chat |= {"continue_final_message": True, "add_generation_prompt": False}
    if body.stream:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    return chat


def _system(body: CountTokensBody) -> Iterator[dict[str, Any]]:
    texts = [each.text for each in body.system or () if not each.text.startswith(_ATTRIBUTION)]
    if texts:
        yield {"role": "system", "content": _BETWEEN.join(texts)}


def _messages(messages: Iterable[AgentMessage]) -> Iterator[dict[str, Any]]:
    for message in messages:
        if message.role == "assistant":
            yield _answer(message.content)
        else:
            # Many chat templates take a system message at the beginning only.
            yield from _question(message.content)


def _answer(blocks: Iterable[MessageBlock]) -> dict[str, Any]:
    """Return a former answer of the model: what it thought, said and called."""
    blocks = tuple(blocks)
    thought = "".join(each.thinking for each in blocks if isinstance(each, ThinkingBlock))
    texts = [each.text for each in blocks if isinstance(each, TextBlock)]
    calls = [_call(each) for each in blocks if isinstance(each, ToolUseBlock)]
    message: dict[str, Any] = {"role": "assistant", "content": _BETWEEN.join(texts) or None}
    if not calls:
        message["content"] = message["content"] or ""
    if thought:
        message["reasoning"] = message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = calls
    return message


def _call(block: ToolUseBlock) -> dict[str, Any]:
    function = {"name": block.name, "arguments": orjson.dumps(block.input).decode()}
    return {"id": block.id, "type": "function", "function": function}


def _question(blocks: Iterable[MessageBlock]) -> Iterator[dict[str, Any]]:
    """Yield the results of tools, each as a message, then what the user says and shows."""
    shown: list[TextBlock | ImageBlock | DocumentBlock] = []
    for block in blocks:
        if isinstance(block, ToolResultBlock):
            content = block.content or []
            said = [each for each in content if not isinstance(each, ImageBlock)]
            shown += [each for each in content if isinstance(each, ImageBlock)]
            yield {"role": "tool", "tool_call_id": block.tool_use_id, "content": _text(said)}
        elif isinstance(block, TextBlock | ImageBlock | DocumentBlock):
            shown.append(block)
    if shown:
        yield {"role": "user", "content": _content(shown)}


def _content(
    blocks: list[TextBlock | ImageBlock | DocumentBlock],
) -> str | list[dict[str, Any]]:
    """Return one text, or parts where there are images."""
    if not any(isinstance(block, ImageBlock) for block in blocks):
        return _text([each for each in blocks if not isinstance(each, ImageBlock)])
    return [_part(block) for block in blocks]


def _text(blocks: Iterable[TextBlock | DocumentBlock]) -> str:
    return _BETWEEN.join(_said(block) for block in blocks)


def _said(block: TextBlock | DocumentBlock) -> str:
    return block.text if isinstance(block, TextBlock) else block.source.data


def _part(block: TextBlock | ImageBlock | DocumentBlock) -> dict[str, Any]:
    if isinstance(block, ImageBlock):
        return {"type": "image_url", "image_url": {"url": block.source.address}}
    return {"type": "text", "text": _said(block)}


def _tool(tool: AgentTool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.input_schema}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _tool_choice(choice: AgentToolChoice | None) -> dict[str, Any]:
    if choice is None:
        return {}
    named = {"type": "function", "function": {"name": choice.name}}
    kinds = {"auto": "auto", "any": "required", "none": "none", "tool": named}
    chosen: dict[str, Any] = {"tool_choice": kinds[choice.type]}
    if choice.disable_parallel_tool_use:
        chosen["parallel_tool_calls"] = False
    return chosen


def _is_begun(message: AgentMessage) -> bool:
    """Return whether the last message is the beginning of the answer."""
    return message.role == "assistant" and all(
        isinstance(block, TextBlock) for block in message.content
    )
