"""Joins the deltas of a chat's answer into consecutive parts.

A chat's chunks may add to reasoning, text and several tool calls in turn. Both APIs of agents want
one part after the other: opened, added to, closed. A tool call is closed once its arguments are
whole JSON; what comes meanwhile for other parts is kept until then.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, cast

import orjson


class PartKind(StrEnum):
    """Kinds of parts of an answer."""

    REASONING = "reasoning"
    TEXT = "text"
    TOOL_CALL = "tool_call"


@dataclass(slots=True)
class AnswerPart:
    """One part of an answer."""

    kind: PartKind
    call_id: str = ""
    """Id of a tool call, which its result will name."""
    name: str = ""
    """Name of the tool of a tool call."""
    said: list[str] = field(default_factory=list[str])

    @property
    def text(self) -> str:
        """Return its text, or the arguments of a tool call as JSON."""
        return "".join(self.said)


class StepKind(StrEnum):
    """Kinds of steps of a part."""

    OPENED = "opened"
    ADDED = "added"
    CLOSED = "closed"


class PartStep(NamedTuple):
    """One step of a part; `text` is the text that an addition adds."""

    kind: StepKind
    part: AnswerPart
    text: str = ""


class _Piece(NamedTuple):
    kind: PartKind
    text: str
    number: int = 0
    call_id: str = ""
    name: str = ""


class AnswerParts:
    """Takes a chat's deltas, and yields the steps of its parts in order."""

    def __init__(self) -> None:
        self._open: AnswerPart | None = None
        self._waiting: list[AnswerPart] = []
        self._calls: dict[int, AnswerPart] = {}
        """The latest tool call of each index."""
        self._closed: set[str] = set()
        """The ids of tool calls that have been closed."""

    def take(self, delta: Mapping[str, Any]) -> Iterator[PartStep]:
        """Yield what a delta, or a whole message, leads to. Raises TypeError, AttributeError."""
        for piece in _pieces(delta):
            part = self._part_of(piece)
            if part is None:
                continue
            if piece.text:
                part.said.append(piece.text)
            if part is self._open and piece.text:
                yield PartStep(StepKind.ADDED, part, piece.text)
            if self._waiting:
                yield from self._advance()

    def end(self) -> Iterator[PartStep]:
        """Yield what is left at the end of the answer: no part stays open."""
        if self._open is not None:
            yield self._close(self._open)
        for part in self._waiting:
            yield from self._opened(part)
            yield self._close(part)
        self._waiting.clear()

    def _part_of(self, piece: _Piece) -> AnswerPart | None:
        """Return the part that a piece adds to; None where a closed one is added to."""
        if piece.kind is not PartKind.TOOL_CALL:
            last = self._waiting[-1] if self._waiting else self._open
            if last is not None and last.kind is piece.kind:
                return last
            return self._new(AnswerPart(piece.kind)) if piece.text else None
        known = self._calls.get(piece.number)
        is_another = bool(piece.call_id and piece.name)  # Some servers number every call 0.
        if known is None or (is_another and piece.call_id != known.call_id):
            call_id = piece.call_id or f"call_{secrets.token_hex(12)}"
            known = self._calls[piece.number] = self._new(
                AnswerPart(piece.kind, call_id, piece.name)
            )
        known.name = known.name or piece.name
        return None if known.call_id in self._closed else known

    def _new(self, part: AnswerPart) -> AnswerPart:
        self._waiting.append(part)
        return part

    def _advance(self) -> Iterator[PartStep]:
        """Go on to what waits, as far as what is open can be closed."""
        while self._waiting and _can_open(self._waiting[0]):
            if self._open is not None:
                if not _is_whole(self._open):
                    return
                yield self._close(self._open)
            yield from self._opened(self._waiting.pop(0))

    def _opened(self, part: AnswerPart) -> Iterator[PartStep]:
        self._open = part
        yield PartStep(StepKind.OPENED, part)
        if part.said:
            yield PartStep(StepKind.ADDED, part, part.text)

    def _close(self, part: AnswerPart) -> PartStep:
        self._open = None
        if part.kind is PartKind.TOOL_CALL:
            self._closed.add(part.call_id)
        return PartStep(StepKind.CLOSED, part)


def _can_open(part: AnswerPart) -> bool:
    """Return whether enough is known to open a part: a tool call needs its name."""
    return part.kind is not PartKind.TOOL_CALL or bool(part.name)


def _is_whole(part: AnswerPart) -> bool:
    """Return whether a part ends where another begins. A tool call may still lack arguments."""
    if part.kind is not PartKind.TOOL_CALL:
        return True
    try:
        orjson.loads(part.text)
    except orjson.JSONDecodeError:
        return False
    return True


def _pieces(delta: Mapping[str, Any]) -> Iterator[_Piece]:
    """Yield what a delta adds: reasoning, which servers call by two names, text, tool calls."""
    for kind, said in (
        (PartKind.REASONING, delta.get("reasoning") or delta.get("reasoning_content")),
        (PartKind.TEXT, delta.get("content") or delta.get("refusal")),
    ):
        if isinstance(said, str):
            yield _Piece(kind, said)
    calls = cast("list[Mapping[str, Any]]", delta.get("tool_calls") or [])
    for position, call in enumerate(calls):
        function: Mapping[str, Any] = call.get("function") or {}
        index = call.get("index")
        yield _Piece(
            PartKind.TOOL_CALL,
            function.get("arguments") or "",
            position if index is None else index,
            call.get("id") or "",
            function.get("name") or "",
        )
