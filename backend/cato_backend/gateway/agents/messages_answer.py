"""Answers and errors in the form of Anthropic's Messages API."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any, cast

from pydantic_core import from_json

from cato_backend.errors import RequestError
from cato_backend.gateway.agents.parts import AnswerPart, PartKind, PartStep, StepKind
from cato_backend.gateway.agents.translation import ChatEnding
from cato_backend.gateway.error_forms import ANTHROPIC
from cato_backend.gateway.responses import json_event

_STOP_REASONS = {"length": "max_tokens", "content_filter": "refusal"}
"""Of a chat's finish reasons, those that count before what the answer holds."""
_DELTAS = {
    PartKind.REASONING: ("thinking_delta", "thinking"),
    PartKind.TEXT: ("text_delta", "text"),
    PartKind.TOOL_CALL: ("input_json_delta", "partial_json"),
}


class MessagesWriter:
    """Writes one answer under the model name that the client sent."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._id = f"msg_{secrets.token_hex(12)}"
        self._content: list[dict[str, Any]] = []

    def headers(self, request_id: str) -> dict[str, str]:
        """Return Anthropic's name for the request's id."""
        return {"request-id": request_id}

    def begin(self) -> bytes:
        """Return the events before the first block. The prompt's length comes at the end."""
        message = self._message() | {"usage": _usage(ChatEnding())}
        return _event({"type": "message_start", "message": message})

    def write(self, steps: Iterable[PartStep]) -> bytes:
        """Return the events of these steps."""
        return b"".join(self._step(step) for step in steps)

    def end(self, ending: ChatEnding) -> bytes:
        """Return the events behind the last block."""
        delta = {"type": "message_delta", "delta": self._stop(ending), "usage": _usage(ending)}
        return _event(delta) + _event({"type": "message_stop"})

    def fail(self, error: RequestError) -> bytes:
        """Return the event of an error."""
        return _event(ANTHROPIC.body(error, None))

    def whole(self, ending: ChatEnding) -> dict[str, Any]:
        """Return the answer as one message."""
        content = {"content": self._content, "usage": _usage(ending)}
        return self._message() | content | self._stop(ending)

    def _step(self, step: PartStep) -> bytes:
        if step.kind is StepKind.OPENED:
            return self._block_event("content_block_start", content_block=_opening(step.part))
        if step.kind is StepKind.ADDED:
            name, field = _DELTAS[step.part.kind]
            return self._block_event("content_block_delta", delta={"type": name, field: step.text})
        stopped = self._block_event("content_block_stop")
        self._content.append(_block(step.part))
        return stopped

    def _block_event(self, kind: str, **fields: Any) -> bytes:
        return _event({"type": kind, "index": len(self._content), **fields})

    def _message(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
        }

    def _stop(self, ending: ChatEnding) -> dict[str, Any]:
        reason = _STOP_REASONS.get(ending.reason)
        if reason is None and ending.stop:
            reason = "stop_sequence"
        if reason is None:
            has_calls = any(block["type"] == "tool_use" for block in self._content)
            reason = "tool_use" if has_calls else "end_turn"
        return {"stop_reason": reason, "stop_sequence": ending.stop or None}


def _usage(ending: ChatEnding) -> dict[str, Any]:
    """Return the token counts. Anthropic counts what came from the cache apart."""
    return {
        "input_tokens": ending.prompt_tokens - ending.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": ending.cached_tokens,
        "output_tokens": ending.output_tokens,
    }


def _opening(part: AnswerPart) -> dict[str, Any]:
    if part.kind is PartKind.REASONING:
        return {"type": "thinking", "thinking": "", "signature": ""}
    if part.kind is PartKind.TEXT:
        return {"type": "text", "text": ""}
    return {"type": "tool_use", "id": part.call_id, "name": part.name, "input": {}}


def _block(part: AnswerPart) -> dict[str, Any]:
    opening = _opening(part)
    if part.kind is PartKind.TOOL_CALL:
        return opening | {"input": _input(part.text)}
    return opening | {opening["type"]: part.text}


def _input(arguments: str) -> dict[str, Any]:
    """Return the arguments as an object: as far as they go, where the limit cut them off."""
    try:
        value: object = from_json(arguments or "{}", allow_partial=True)
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _event(value: dict[str, Any]) -> bytes:
    return json_event(value, value["type"])
