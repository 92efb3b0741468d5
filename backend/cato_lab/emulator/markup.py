"""Emulates vLLM's parsers: splits a model's text into reasoning, text, and tool calls.

The markup is that of Qwen's models, which vLLM reads with `--reasoning-parser qwen3` and
`--tool-call-parser hermes`: `<think>...</think>`, and `<tool_call>{"name": ..., "arguments":
{...}}</tool_call>`.
"""

from __future__ import annotations

import re
import uuid
from enum import Enum
from typing import Any

_HEAD = re.compile(r'\s*\{\s*"name":\s*"([^"]+)",\s*"arguments":\s*(?=\{)')
_TAIL = re.compile(r"[\s}]*$")


class _Mode(Enum):
    TEXT = "content"
    THINK = "reasoning"
    CALL = "tool_calls"
    ARGUMENTS = "arguments"


_TAGS = {
    _Mode.TEXT: {"<think>": _Mode.THINK, "<tool_call>": _Mode.CALL},
    _Mode.THINK: {"</think>": _Mode.TEXT},
    _Mode.CALL: {"</tool_call>": _Mode.TEXT},
    _Mode.ARGUMENTS: {"</tool_call>": _Mode.TEXT},
}


class MarkupReader:
    """Reads one sequence's text as it grows, and returns the deltas of a chat."""

    def __init__(self) -> None:
        self._mode, self._held, self.calls = _Mode.TEXT, "", 0

    def feed(self, text: str, *, is_last: bool = False) -> dict[str, Any]:
        """Return the delta that this text adds; nothing is held back after the last one."""
        self._held += text
        delta: dict[str, Any] = {}
        while self._switch(delta):
            pass
        keep = 0 if is_last else _partial_tag(self._held, self._mode)
        self._say(delta, self._take(len(self._held) - keep))
        return delta

    def _switch(self, delta: dict[str, Any]) -> bool:
        """Go on behind the next tag, or behind the head of a call; whether there was one."""
        if self._mode is _Mode.CALL and (head := _HEAD.match(self._held)):
            self._take(head.end())
            self._mode = _Mode.ARGUMENTS
            call = {"index": self.calls, "id": f"chatcmpl-tool-{uuid.uuid4().hex}"}
            function = {"name": head[1], "arguments": ""}
            delta.setdefault("tool_calls", []).append(
                {**call, "type": "function", "function": function}
            )
            self.calls += 1
            return True
        found = [(self._held.find(tag), tag) for tag in _TAGS[self._mode] if tag in self._held]
        if not found:
            return False
        at, tag = min(found)
        said = self._take(at)
        self._say(delta, said.rstrip()[:-1] if self._mode is _Mode.ARGUMENTS else said)
        self._take(len(tag))
        self._mode = _TAGS[self._mode][tag]
        return True

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken

    def _say(self, delta: dict[str, Any], text: str) -> None:
        if not text:
            return
        if self._mode in (_Mode.TEXT, _Mode.THINK):
            delta[self._mode.value] = delta.get(self._mode.value, "") + text
        elif self._mode is _Mode.ARGUMENTS:
            call = {"index": self.calls - 1, "function": {"arguments": text}}
            delta.setdefault("tool_calls", []).append(call)


def whole_message(text: str) -> dict[str, Any]:
    """Return the fields of the message that a whole text is."""
    message = MarkupReader().feed(text, is_last=True)
    calls: dict[int, dict[str, Any]] = {}
    for part in message.pop("tool_calls", []):
        call = calls.setdefault(part["index"], {"function": {"arguments": ""}})
        arguments = call["function"]["arguments"] + part["function"]["arguments"]
        function = call["function"] | part["function"] | {"arguments": arguments}
        call |= {**part, "function": function}
    for call in calls.values():
        del call["index"]
    return message | ({"tool_calls": list(calls.values())} if calls else {})


def _partial_tag(text: str, mode: _Mode) -> int:
    """Return how many characters at the end may become a tag, or the end of a call."""
    lengths = [
        length
        for tag in _TAGS[mode]
        for length in range(1, len(tag))
        if text.endswith(tag[:length])
    ]
    partial = max(lengths, default=0)
    if mode is _Mode.CALL:
        return len(text)
    if mode is not _Mode.ARGUMENTS:
        return partial
    tail = _TAIL.search(text[: len(text) - partial])
    return partial + (len(tail[0]) if tail else 0)
