"""One answer as it passes through: counted, stripped of what only we asked for, remembered.

What is remembered (text and token ids sent so far) is what lets another replica continue it.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any, NamedTuple

import orjson

from cato_backend.runtime.calls import Call, Kind
from cato_backend.runtime.chunks import (
    AttemptBroken,
    as_chat,
    believed_tokens,
    cached_tokens,
    parse,
    shift,
    strip,
    text_of,
)
from cato_backend.wire import sse


class Relayed(NamedTuple):
    """What one event of the replica becomes. A tuple, because one is made for each token."""

    data: bytes
    """For the client; empty where the event was only for us."""
    tokens: int = 0
    prompt_tokens: int | None = None
    cached_tokens: int | None = None


class Answer:
    """The streamed answer to one call, over all its attempts."""

    def __init__(self, call: Call) -> None:
        options: Mapping[str, Any] = call.body.get("stream_options") or {}
        self._wants_usage = bool(options.get("include_usage"))
        self._wants_token_ids = bool(call.body.get("return_token_ids"))
        self._kind = call.kind
        self._choices = call.choices
        self._ended: set[int] = set()
        self._head: dict[str, Any] = {}
        self._resumed_at: int | None = None
        self._resumed_offset = 0
        """How many characters had been sent then."""
        self.prompt_ids: tuple[int, ...] = ()
        self.token_ids: list[int] = []
        self._said = StringIO(newline="")
        self.tokens = 0
        self.tokens_shown = 0
        """How many tokens had come when the text last grew: engines hold back text, but not ids."""
        self.prompt_tokens: int | None = None
        self.cached_tokens: int | None = None
        self.done = False
        """Whether the stream's own end was seen."""

    @property
    def text(self) -> str:
        """What was sent so far: kept in a buffer, as a string would be copied for each token."""
        return self._said.getvalue()

    @property
    def has_every_token_id(self) -> bool:
        """Whether the ids of all tokens sent so far, and of the prompt, are known."""
        return bool(self.prompt_ids) and len(self.token_ids) == self.tokens

    @property
    def finished(self) -> bool:
        """Whether every choice has its finish reason."""
        return len(self._ended) >= self._choices

    def resume(self, by_ids: bool) -> None:
        """A new attempt continues after what was sent, to the last id or to the last text."""
        if not by_ids:
            self.tokens = self.tokens_shown
            del self.token_ids[self.tokens :]
        self._resumed_at, self._resumed_offset = self.tokens, len(self.text)
        self._ended.clear()
        self.done = False

    def take(self, event: sse.Event) -> Relayed:
        """Counts one event and returns what the client gets. Raises AttemptBroken."""
        if event.data == sse.DONE:
            self.done = True
            return Relayed(event.raw)
        chunk = parse(event.data)
        try:
            return self._take(chunk, event)
        except (TypeError, ValueError, AttributeError) as error:
            # Cheaper than to look at every field of every token before it is used.
            raise AttemptBroken("a field of an event is not of OpenAI's type") from error

    def _take(self, chunk: dict[str, Any], event: sse.Event) -> Relayed:
        usage = chunk.get("usage")
        if usage:
            self._learn_prompt_tokens(usage)
        choices: list[dict[str, Any]] = chunk.get("choices") or []
        if not choices:
            return self._usage_chunk(chunk, event)
        if not self.prompt_ids:
            ids = chunk.get("prompt_token_ids") or choices[0].get("prompt_token_ids")
            self.prompt_ids = tuple(ids or ())
        tokens = self._count(choices)
        changed = not self._wants_token_ids and _strip_all(chunk, choices)
        changed = self._adopt(chunk) or changed
        data = sse.json_event(orjson.dumps(chunk)) if changed else event.raw
        return Relayed(data, tokens, len(self.prompt_ids) or None)

    def _count(self, choices: list[dict[str, Any]]) -> int:
        """Adds up the choices, and tells how many tokens they are."""
        tokens, shown = 0, False
        for choice in choices:
            text, ids = text_of(choice), choice.get("token_ids")
            if text:
                shown = True
                self._said.write(text)
            if ids is None:
                # A server that sends no ids is taken to send a token with each piece of text.
                tokens += bool(text)
            else:
                self.token_ids.extend(ids)
                tokens += len(ids)
            if choice.get("finish_reason") is not None:
                self._ended.add(choice.get("index") or 0)
        self.tokens += tokens
        if shown:
            self.tokens_shown = self.tokens
        return tokens

    def _adopt(self, chunk: dict[str, Any]) -> bool:
        """Makes a continuation's chunk look like the first attempt's."""
        if self._resumed_at is None:
            if not self._head:
                self._head = {name: chunk.get(name) for name in ("id", "created")}
            return False
        chunk |= self._head
        for choice in chunk.get("choices") or ():
            shift(choice, self._resumed_offset)
        if self._kind is Kind.CHAT:
            as_chat(chunk)
        if chunk.get("usage"):
            chunk["usage"] |= self._usage()
        return True

    def _usage_chunk(self, chunk: dict[str, Any], event: sse.Event) -> Relayed:
        self.cached_tokens = cached_tokens(chunk.get("usage") or {})
        data = b""
        if self._wants_usage:
            data = sse.json_event(orjson.dumps(chunk)) if self._adopt(chunk) else event.raw
        return Relayed(data, 0, self.prompt_tokens, self.cached_tokens)

    def _usage(self) -> dict[str, int]:
        """Of all attempts together, as one undisturbed attempt would have counted."""
        prompt = self.prompt_tokens or 0
        return {
            "prompt_tokens": prompt,
            "completion_tokens": self.tokens,
            "total_tokens": prompt + self.tokens,
        }

    def _learn_prompt_tokens(self, usage: Mapping[str, Any]) -> None:
        """The prompt's tokens without those that a continuation was given on top."""
        counted = believed_tokens(usage.get("prompt_tokens"))
        if counted is not None:
            given = max(1, counted - (self._resumed_at or 0))
            self.prompt_tokens = len(self.prompt_ids) or given


def _strip_all(chunk: dict[str, Any], choices: list[dict[str, Any]]) -> bool:
    """Strips the chunk and its choices; whether that changed anything."""
    changed = strip(chunk)
    for choice in choices:
        changed = strip(choice) or changed
    return changed
