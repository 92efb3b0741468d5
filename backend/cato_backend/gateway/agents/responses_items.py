"""The items of a response's output, and the events of each."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, cast

import orjson

from cato_backend.gateway.agents.parts import AnswerPart, PartKind
from cato_backend.gateway.agents.responses_body import CUSTOM_INPUT, CalledTool


class ItemEvent(NamedTuple):
    """An event about one item; its writer adds the item's place."""

    kind: str
    fields: dict[str, Any]


class OutputItem(Protocol):
    """One item while it grows."""

    id: str

    def value(self, *, is_done: bool) -> dict[str, Any]:
        """Return the item: empty until it is done."""
        ...

    def opened(self) -> Iterator[ItemEvent]:
        """Yield what follows the item's own beginning."""
        ...

    def added(self, text: str) -> Iterator[ItemEvent]:
        """Yield what an addition becomes."""
        ...

    def closed(self) -> Iterator[ItemEvent]:
        """Yield what comes before the item's own end."""
        ...


def item_of(part: AnswerPart, tool: CalledTool) -> OutputItem:
    """Return the item of a part; `tool`: what it calls, where it is a call."""
    if part.kind is PartKind.TOOL_CALL:
        return _CustomCall(part, tool) if tool.is_custom else _FunctionCall(part, tool)
    return _Reasoning(part) if part.kind is PartKind.REASONING else _Message(part)


def _status(*, is_done: bool) -> str:
    return "completed" if is_done else "in_progress"


def _names(tool: CalledTool) -> dict[str, str]:
    namespace = {"namespace": tool.namespace} if tool.namespace else {}
    return {"name": tool.name, **namespace}


class _TextItem:
    """An item of one text."""

    prefix = ""
    part_event = ""
    text_event = ""
    index_field = ""

    def __init__(self, part: AnswerPart) -> None:
        self._part = part
        self.id = f"{self.prefix}_{secrets.token_hex(24)}"

    def shown(self, text: str) -> dict[str, Any]:
        """Return the item's only part."""
        return {"type": "summary_text", "text": text}

    def opened(self) -> Iterator[ItemEvent]:
        yield self._event(f"{self.part_event}.added", part=self.shown(""))

    def added(self, text: str) -> Iterator[ItemEvent]:
        yield self._event(f"{self.text_event}.delta", delta=text)

    def closed(self) -> Iterator[ItemEvent]:
        yield self._event(f"{self.text_event}.done", text=self._part.text)
        yield self._event(f"{self.part_event}.done", part=self.shown(self._part.text))

    def _event(self, kind: str, **fields: Any) -> ItemEvent:
        return ItemEvent(kind, {self.index_field: 0, **fields})


class _Reasoning(_TextItem):
    prefix = "rs"
    part_event = "reasoning_summary_part"
    text_event = "reasoning_summary_text"
    index_field = "summary_index"

    def value(self, *, is_done: bool) -> dict[str, Any]:
        summary = [self.shown(self._part.text)] if is_done else []
        return {"id": self.id, "type": "reasoning", "summary": summary}


class _Message(_TextItem):
    prefix = "msg"
    part_event = "content_part"
    text_event = "output_text"
    index_field = "content_index"

    def shown(self, text: str) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def added(self, text: str) -> Iterator[ItemEvent]:
        yield self._event("output_text.delta", delta=text, logprobs=[])

    def closed(self) -> Iterator[ItemEvent]:
        yield self._event("output_text.done", text=self._part.text, logprobs=[])
        yield self._event("content_part.done", part=self.shown(self._part.text))

    def value(self, *, is_done: bool) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "status": _status(is_done=is_done),
            "content": [self.shown(self._part.text)] if is_done else [],
        }


class _FunctionCall:
    def __init__(self, part: AnswerPart, tool: CalledTool) -> None:
        self._part, self._tool = part, tool
        self.id = f"fc_{secrets.token_hex(24)}"

    def value(self, *, is_done: bool) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "function_call",
            "call_id": self._part.call_id,
            **_names(self._tool),
            "arguments": self._part.text if is_done else "",
            "status": _status(is_done=is_done),
        }

    def opened(self) -> Iterator[ItemEvent]:
        yield from ()

    def added(self, text: str) -> Iterator[ItemEvent]:
        yield ItemEvent("function_call_arguments.delta", {"delta": text})

    def closed(self) -> Iterator[ItemEvent]:
        told = {"name": self._tool.name, "arguments": self._part.text}
        yield ItemEvent("function_call_arguments.done", told)


class _CustomCall:
    """A call with plain text. Models write it into JSON, so it is sent once it is complete."""

    def __init__(self, part: AnswerPart, tool: CalledTool) -> None:
        self._part, self._tool = part, tool
        self.id = f"ctc_{secrets.token_hex(24)}"

    def value(self, *, is_done: bool) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": "custom_tool_call",
            "call_id": self._part.call_id,
            **_names(self._tool),
            "input": self._input() if is_done else "",
            "status": _status(is_done=is_done),
        }

    def opened(self) -> Iterator[ItemEvent]:
        yield from ()

    def added(self, text: str) -> Iterator[ItemEvent]:
        yield from ()

    def closed(self) -> Iterator[ItemEvent]:
        told = self._input()
        yield ItemEvent("custom_tool_call_input.delta", {"delta": told})
        yield ItemEvent("custom_tool_call_input.done", {"input": told})

    def _input(self) -> str:
        """Return the plain text; the arguments as they are where they do not hold one."""
        try:
            value: object = orjson.loads(self._part.text)
        except orjson.JSONDecodeError:
            return self._part.text
        fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
        text = fields.get(CUSTOM_INPUT)
        return text if isinstance(text, str) else self._part.text
