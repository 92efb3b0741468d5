"""Infers the class of a request whose client sends none from the features of its body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from cato_backend.gateway.bodies import ChatBody, ChatMessage, CompletionBody
from cato_backend.tasks.cursor import CursorText, asks_at_cursor, cursor_text
from cato_backend.wire.headers import Task

ONE_LINE_TOKENS = 128
"""A prompt without markers is a completion where it asks for so many tokens at most and stops at
the end of the line. Editors ask for 16 to 128."""
INSTRUCTION_CHARS = 8_000
"""Tools and system messages of at least this length, some 2,500 tokens, are a coding agent's. The
first requests of 350 recorded agent sessions (callanjfox/kv-cache-tester) have 6,300 tokens at
least and 24,000 in the median; a chat with a few functions has some hundreds."""
_LINE_ENDS = frozenset({"\n", "\r\n", "\r"})


@dataclass(frozen=True, slots=True)
class Shape:
    """Features of a body from which the class of its request is inferred.

    `cursor`: the text around the cursor, where the body is that of one completion and shows it.
    """

    task: Task
    """The class, unless its tools come from a coding agent."""
    has_tools: bool = False
    cursor: CursorText | None = None

    def task_of(self, *, from_agent: bool) -> Task:
        """Return the class; `from_agent`: the client named its session as coding agents do."""
        return Task.AGENT if from_agent and self.has_tools else self.task


PLAIN = Shape(Task.GENERATION)


def completion_shape(body: CompletionBody) -> Shape:
    """Return the features of a body of `/v1/completions`.

    A batch of prompts and a prompt of token ids are generations: no editor sends them.
    """
    if not isinstance(body.prompt, str):
        return PLAIN
    cursor = _cursor(body, body.prompt)
    if cursor is None:
        return PLAIN
    return Shape(Task.COMPLETION, cursor=cursor if _has_one_answer(body) else None)


def chat_shape(body: ChatBody) -> Shape:
    """Return the features of a body of `/v1/chat/completions`.

    Tools behind long instructions are an agent's turn; a next edit or a completion that is asked
    for in a chat is a completion.
    """
    if body.tools:
        task = Task.AGENT if _is_instructed(body) else Task.GENERATION
        return Shape(task, has_tools=True)
    last = body.messages[-1]
    if last.role == "user" and asks_at_cursor(last.text):
        return Shape(Task.COMPLETION)
    return PLAIN


def _cursor(body: CompletionBody, prompt: str) -> CursorText | None:
    if body.suffix is not None or body.cato is not None:
        return CursorText(prompt, body.suffix or "")
    found = cursor_text(prompt)
    if found is None and _asks_for_one_line(body):
        return CursorText(prompt)
    return found


def _asks_for_one_line(body: CompletionBody) -> bool:
    stops = [body.stop] if isinstance(body.stop, str) else body.stop or []
    short = body.max_tokens is None or body.max_tokens <= ONE_LINE_TOKENS
    return short and not _LINE_ENDS.isdisjoint(stops)


def _has_one_answer(body: CompletionBody) -> bool:
    return (body.n or 1) == 1 and (body.best_of or 1) == 1


def _is_instructed(body: ChatBody) -> bool:
    """Return whether tools and system messages are as long as an agent's.

    Every turn of a conversation begins with them.
    """
    chars = _instructions(body.messages)
    return chars >= INSTRUCTION_CHARS or (
        chars + len(orjson.dumps(body.tools)) >= INSTRUCTION_CHARS
    )


def _instructions(messages: Sequence[ChatMessage]) -> int:
    return sum(len(message.text) for message in messages if message.is_instruction)
