"""The tools of a response's request as a chat's functions, and back.

A tool that takes plain text is a function with one parameter. A tool of a namespace has both names
joined. Tools that OpenAI's own servers run, such as web search, do not reach the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cato_backend.gateway.agents.responses_body import AddedToolsItem, ResponsesBody, ResponsesTool

CUSTOM_INPUT = "input"
"""The one parameter by which a model calls a tool that takes plain text."""
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
