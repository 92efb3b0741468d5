"""Chats for vLLM: messages and tools, rendered as one prompt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cato_lab.emulator import errors
from cato_lab.emulator.behaviour import Behaviour

_NO_TEMPLATE = (
    "As of transformers v4.44, default chat template is no longer allowed, so you must provide a "
    "chat template if the tokenizer does not define one."
)


def chat_text(body: Mapping[str, Any], behaviour: Behaviour) -> str:
    """Return the messages under ChatML behind the tools, open for the assistant.

    Raises VllmError.
    """
    if not behaviour.chat_template:
        raise errors.VllmError(_NO_TEMPLATE, param=None)
    match body.get("messages"):
        case [{"role": "system"}, *_] if not behaviour.system_message:
            raise errors.VllmError("System role not supported", param=None)
        case [*messages]:
            if any(map(_shows_image, messages)):
                raise errors.VllmError(f"{behaviour.model} is not a multimodal model", param=None)
            turns = "".join(_turn(message) for message in messages)
            return f"{_tools(body)}{turns}<|im_start|>assistant\n"
        case missing:
            raise errors.malformed("messages", "Field required", missing)


def _tools(body: Mapping[str, Any]) -> str:
    tools = body.get("tools")
    return f"<|im_start|>system\n{json.dumps(tools)}<|im_end|>\n" if tools else ""


def _turn(message: Any) -> str:
    match message:
        case {"role": str(role), "content": str(content)}:
            text = content
        case {"role": str(role), "content": [*parts]} if all(map(_is_text, parts)):
            text = "\n".join(part["text"] for part in parts)
        case {"role": "assistant" as role, "tool_calls": [*calls]}:
            text = json.dumps(calls)
        case _:
            raise errors.malformed("messages", "Input should be a valid message", message)
    return f"<|im_start|>{role}\n{text}<|im_end|>\n"


def _shows_image(message: Any) -> bool:
    match message:
        case {"content": [*parts]}:
            return any(isinstance(part, dict) and "image_url" in part for part in parts)
        case _:
            return False


def _is_text(part: Any) -> bool:
    match part:
        case {"type": "text", "text": str()}:
            return True
        case _:
            return False
