"""Answers and errors in the form of OpenAI's Responses API."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any

from cato_backend.errors import RequestError
from cato_backend.gateway.agents.parts import PartStep, StepKind
from cato_backend.gateway.agents.responses_body import ResponsesBody, ToolTable
from cato_backend.gateway.agents.responses_items import ItemEvent, OutputItem, item_of
from cato_backend.gateway.agents.translation import ChatEnding
from cato_backend.gateway.responses import json_event

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_CODES = {400: "invalid_prompt", 429: "rate_limit_exceeded"}
_ECHOED = (
    *("instructions", "max_output_tokens", "metadata", "parallel_tool_calls", "reasoning"),
    *("temperature", "text", "tool_choice", "tools", "top_p", "user"),
)
_USUAL: dict[str, Any] = {
    "metadata": {},
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
"""OpenAI's values of fields that the client has not sent."""


class ResponsesWriter:
    """Writes one response."""

    def __init__(self, body: ResponsesBody) -> None:
        given = body.model_dump(
            mode="json", include=set(_ECHOED), by_alias=True, exclude_unset=True
        )
        self._echo = {name: given.get(name, _USUAL.get(name)) for name in _ECHOED}
        self._model = body.model
        self._tools = ToolTable(body)
        self._id = f"resp_{secrets.token_hex(24)}"
        self._created = int(time.time())
        self._output: list[dict[str, Any]] = []
        self._item: OutputItem | None = None
        self._number = 0

    def headers(self, request_id: str) -> dict[str, str]:
        """Return nothing: OpenAI's name for the request's id is there already."""
        return {}

    def begin(self) -> bytes:
        """Return the events before the first item."""
        response = self._response("in_progress")
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def write(self, steps: Iterable[PartStep]) -> bytes:
        """Return the events of these steps."""
        return b"".join(self._step(step) for step in steps)

    def end(self, ending: ChatEnding) -> bytes:
        """Return the event behind the last item."""
        response = self.whole(ending)
        return self._event(f"response.{response['status']}", response=response)

    def fail(self, error: RequestError) -> bytes:
        """Return the event of an error."""
        response = self._response("failed")
        code = error.code if error.status == 400 else _CODES.get(error.status, "server_error")
        response["error"] = {"code": code, "message": error.body()["error"]["message"]}
        return self._event("response.failed", response=response)

    def whole(self, ending: ChatEnding) -> dict[str, Any]:
        """Return the answer as one response."""
        reason = _INCOMPLETE.get(ending.reason)
        is_whole = reason is None and ending.reason
        response = self._response("completed" if is_whole else "incomplete")
        if reason is not None:
            response["incomplete_details"] = {"reason": reason}
        return response | {"usage": _usage(ending)}

    def _step(self, step: PartStep) -> bytes:
        if step.kind is StepKind.OPENED:
            self._item = item_of(step.part, self._tools.called(step.part.name))
            return self._item_event("output_item.added") + self._about(self._item.opened())
        if self._item is None:
            raise RuntimeError("a step of no part")
        if step.kind is StepKind.ADDED:
            return self._about(self._item.added(step.text))
        events = self._about(self._item.closed()) + self._item_event("output_item.done")
        self._output.append(self._item.value(is_done=True))
        return events

    def _about(self, events: Iterable[ItemEvent]) -> bytes:
        """Return the events with the place of the item that they are about."""
        place = {"item_id": self._item.id if self._item else "", "output_index": len(self._output)}
        told = (self._event(f"response.{kind}", **place, **fields) for kind, fields in events)
        return b"".join(told)

    def _item_event(self, kind: str) -> bytes:
        item = self._item.value(is_done=kind.endswith("done")) if self._item else None
        return self._event(f"response.{kind}", output_index=len(self._output), item=item)

    def _event(self, kind: str, **fields: Any) -> bytes:
        value = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return json_event(value, kind)

    def _response(self, status: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": self._model,
            "output": list(self._output),
            "previous_response_id": None,
            "store": False,
            "background": False,
            "truncation": "disabled",
            "usage": None,
            **self._echo,
        }


def _usage(ending: ChatEnding) -> dict[str, Any]:
    return {
        "input_tokens": ending.prompt_tokens,
        "input_tokens_details": {"cached_tokens": ending.cached_tokens},
        "output_tokens": ending.output_tokens,
        "output_tokens_details": {"reasoning_tokens": ending.reasoning_tokens},
        "total_tokens": ending.prompt_tokens + ending.output_tokens,
    }
