"""An answer in transit: tokens are counted, fields that only CATO asked for removed, text is kept.

What is remembered (text and token ids sent so far) is what lets another replica continue it.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any, NamedTuple

import orjson

from cato_backend.runtime.calls import ApiKind, Call
from cato_backend.runtime.chunks import (
    AttemptBroken,
    as_chat,
    believed_tokens,
    cached_tokens,
    has_other_delta,
    parse,
    shift,
    strip_all,
    text_of,
)
from cato_backend.runtime.replica_errors import (
    check_choice,
    error_in,
    error_of_event,
    is_error,
    is_failure,
)
from cato_backend.wire import sse

_END = sse.event(sse.DONE)


class Relayed(NamedTuple):
    """The client's event for one event of the replica. A tuple, as one is made for each token."""

    data: bytes
    """For the client; empty where the event was only for us."""
    tokens: int = 0
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    shows: bool = False
    """Whether the client sees more of the answer by it: text, reasoning, a tool call ..."""


class Answer:
    """The streamed answer to one call, over all its attempts."""

    def __init__(self, call: Call) -> None:
        options: Mapping[str, Any] = call.body.get("stream_options") or {}
        self._wants_usage = bool(options.get("include_usage"))
        self._has_usage = False
        self._wants_token_ids = bool(call.body.get("return_token_ids"))
        self._kind = call.kind
        self._choices = call.choices
        self._begun: set[int] = set()
        self._ended: set[int] = set()
        self._head: dict[str, Any] = {}
        self._resumed_at: int | None = None
        self._resumed_offset = 0
        """How many characters had been sent then."""
        self.prompt_ids: tuple[int, ...] = ()
        self._told_prompt = False
        """Whether the length of the prompt was told, in this attempt."""
        self.token_ids: list[int] = []
        self._said = StringIO(newline="")
        self.tokens = 0
        self.tokens_at_once = 0
        """Tokens of an answer that came in one piece; such an answer has no `tokens`."""
        self.tokens_shown = 0
        """How many tokens had come when the text last grew: engines hold back text, but not ids."""
        self.prompt_tokens: int | None = None
        self.cached_tokens: int | None = None
        self.done = False
        """Whether the stream's own end was seen."""
        self.over = self.finished
        """Whether the answer is whole, though usage and the stream's end may be still to come."""
        self.is_in_text = call.kind is ApiKind.COMPLETION
        """Whether what came last is the text itself: a chat may be reasoning, or calling a tool."""

    @property
    def text(self) -> str:
        """The text so far, in a buffer: a string would be copied for each token."""
        return self._said.getvalue()

    @property
    def has_every_token_id(self) -> bool:
        """Whether the ids of all tokens sent so far, and of the prompt, are known."""
        return bool(self.prompt_ids) and len(self.token_ids) == self.tokens

    @property
    def finished(self) -> bool:
        """Whether every choice has its finish reason."""
        return len(self._ended) >= self._choices

    @property
    def awaits_usage(self) -> bool:
        """Whether the client asked for the token counts and has not got them."""
        return self._wants_usage and not self._has_usage and not self.done

    def resume(self, by_ids: bool) -> None:
        """Begin a new attempt that continues after the last id or the last text sent."""
        if not by_ids:
            self.tokens = self.tokens_shown
            del self.token_ids[self.tokens :]
        self._resumed_at, self._resumed_offset = self.tokens, len(self.text)
        self._begun.clear()
        self._ended.clear()
        self._told_prompt = False
        self.done = False
        self.over = self.finished

    def take(self, event: sse.Event) -> Relayed:
        """Count one event and return what the client gets. Raises AttemptBroken."""
        name, data, _ = event
        if name != sse.MESSAGE or data[:2] != '{"':
            special = self._special(event)
            if isinstance(special, Relayed):
                return special
            event, data = special, special.data
        chunk = parse(data)
        try:
            return self._take(chunk, event)
        except (TypeError, ValueError, AttributeError) as error:
            # Cheaper than to look at every field of every token before it is used.
            raise AttemptBroken("a field of an event is not of OpenAI's type") from error

    def _special(self, event: sse.Event) -> Relayed | sse.Event:
        """Of all but the usual event, a compact JSON object without a name.

        What the client gets, or the event in the usual form.
        """
        data = event.data.strip()
        if is_failure(event.name):
            raise error_of_event(data)
        if data == sse.DONE:
            return self._end()
        if not data:
            return Relayed(b"")  # A keep-alive.
        # Line ends in JSON are mere space, and many clients read an event line by line.
        raw = sse.json_event(data.replace("\n", " ").encode())
        return sse.Event(event.name, data, raw)

    def _end(self) -> Relayed:
        """Return the replica's own end of its stream, which it also sends after an error."""
        if not self._ended or not self._begun <= self._ended:
            raise AttemptBroken("its stream ended without a finish reason")
        self.done = self.over = True
        return Relayed(_END)

    def _take(self, chunk: dict[str, Any], event: sse.Event) -> Relayed:
        if chunk.get("error"):
            raise error_in(chunk)
        usage = chunk.get("usage")
        if usage:
            self._learn_prompt_tokens(usage)
        choices: list[dict[str, Any]] = chunk.get("choices") or []
        if not choices:
            return self._without_choices(chunk, event)
        prompt_tokens = None
        if not self._told_prompt:
            prompt_tokens = self._prompt_of(chunk, choices)
        tokens, shows = self._count(choices)
        changed = not self._wants_token_ids and strip_all(chunk, choices)
        if self._resumed_at is not None:
            changed = self._adopt(chunk) or changed
        elif not self._head:
            self._head = {name: chunk.get(name) for name in ("id", "created")}
        data = sse.json_event(orjson.dumps(chunk)) if changed else event.raw
        if usage and self.finished:
            self._has_usage = True
        return Relayed(data, tokens, prompt_tokens, None, shows)

    def _prompt_of(self, chunk: dict[str, Any], choices: list[dict[str, Any]]) -> int | None:
        """Return tokens of the prompt, if the chunk tells its ids or an earlier attempt's did."""
        if not self.prompt_ids:
            ids = chunk.get("prompt_token_ids") or choices[0].get("prompt_token_ids")
            self.prompt_ids = tuple(ids or ())
        self._told_prompt = bool(self.prompt_ids)
        return len(self.prompt_ids) or None

    def _count(self, choices: list[dict[str, Any]]) -> tuple[int, bool]:
        """Add up the choices: how many tokens they are, and whether they show anything."""
        tokens, has_text, has_other = 0, False, False
        for choice in choices:
            if choice.get("finish_reason") or "error" in choice:
                self._close(choice)
            elif self._choices > 1:
                self._begun.add(choice.get("index") or 0)
            text, other, ids = text_of(choice), False, choice.get("token_ids")
            if text:
                has_text = True
                self._said.write(text)
            elif has_other_delta(choice):
                has_other = other = True
            if ids is None:
                # A server that sends no ids is taken to send a token with each piece.
                tokens += bool(text or other)
            else:
                self.token_ids.extend(ids)
                tokens += len(ids)
        self.tokens += tokens
        if has_text or has_other:
            self.is_in_text = not has_other
            self.tokens_shown = self.tokens
        return tokens, has_text or has_other

    def _close(self, choice: dict[str, Any]) -> None:
        """Take a choice's finish reason. Raises AttemptBroken where that is a failure."""
        check_choice(choice)
        if choice.get("finish_reason"):
            self._ended.add(choice.get("index") or 0)
            self.over = self.done or self.finished

    def _adopt(self, chunk: dict[str, Any]) -> bool:
        """Make a continuation's chunk look like the first attempt's; return whether it changed."""
        if self._resumed_at is None:
            return False
        chunk |= self._head
        for choice in chunk.get("choices") or ():
            shift(choice, self._resumed_offset)
        if self._kind is ApiKind.CHAT:
            as_chat(chunk)
        if chunk.get("usage"):
            chunk["usage"] |= self._usage()
        return True

    def _without_choices(self, chunk: dict[str, Any], event: sse.Event) -> Relayed:
        """Usually usage. An error may have this form, too."""
        usage = chunk.get("usage")
        if not usage and event.name == sse.MESSAGE and is_error(chunk):
            raise error_in(chunk)
        if not usage and "choices" not in chunk:
            return Relayed(b"")  # Nothing of OpenAI's: a server's own keep-alive.
        if usage:
            self._has_usage = True
            self.cached_tokens = cached_tokens(usage)
        data = b""
        if self._wants_usage:
            data = sse.json_event(orjson.dumps(chunk)) if self._adopt(chunk) else event.raw
        return Relayed(data, 0, self.prompt_tokens, self.cached_tokens)

    def _usage(self) -> dict[str, int]:
        """Return the usage of all attempts together, as one undisturbed attempt would have it."""
        prompt = self.prompt_tokens or 0
        return {
            "prompt_tokens": prompt,
            "completion_tokens": self.tokens,
            "total_tokens": prompt + self.tokens,
        }

    def _learn_prompt_tokens(self, usage: Mapping[str, Any]) -> None:
        """Return the prompt's tokens without those that a continuation was given on top."""
        counted = believed_tokens(usage.get("prompt_tokens"))
        if counted is not None:
            given = max(1, counted - (self._resumed_at or 0))
            self.prompt_tokens = len(self.prompt_ids) or given
