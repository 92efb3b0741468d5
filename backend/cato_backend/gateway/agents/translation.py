"""Translates answers of the gateway's own chat to the form of another API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol, Self

import orjson
from aiohttp import web

from cato_backend.errors import RequestError, UpstreamFailed
from cato_backend.gateway.agents.parts import AnswerParts, PartStep
from cato_backend.gateway.responses import StreamSink, WholeSink, started_headers
from cato_backend.runtime.calls import Started
from cato_backend.runtime.chunks import cached_tokens
from cato_backend.wire import sse


class ChatEnding(NamedTuple):
    """The end of a chat's answer."""

    reason: str = ""
    """`finish_reason`; empty where the client ended the request by name."""
    stop: str = ""
    """The stop string that ended it."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Cached tokens of the prompt."""
    output_tokens: int = 0
    reasoning_tokens: int = 0
    """Reasoning tokens of the output, where the engine reports them."""

    def after(self, choice: Mapping[str, Any]) -> Self:
        """Return it with what a choice tells of its end."""
        reason, stop = choice.get("finish_reason"), choice.get("stop_reason")
        if not reason:
            return self
        return self._replace(reason=reason, stop=stop if isinstance(stop, str) else "")

    def counted(self, usage: Mapping[str, Any] | None) -> Self:
        """Return it with the token counts of a chat, where there are any."""
        if not usage:
            return self
        details: Mapping[str, Any] = usage.get("completion_tokens_details") or {}
        return self._replace(
            prompt_tokens=usage.get("prompt_tokens") or 0,
            cached_tokens=cached_tokens(usage) or 0,
            output_tokens=usage.get("completion_tokens") or 0,
            reasoning_tokens=details.get("reasoning_tokens") or 0,
        )


class AnswerWriter(Protocol):
    """Writes one answer in the form of an API, as events and as one object."""

    def headers(self, request_id: str) -> dict[str, str]:
        """Return the API's own response headers."""
        ...

    def begin(self) -> bytes:
        """Return the events before the first part."""
        ...

    def write(self, steps: Iterable[PartStep]) -> bytes:
        """Return the events of these steps."""
        ...

    def end(self, ending: ChatEnding) -> bytes:
        """Return the events behind the last part, up to the stream's own end."""
        ...

    def fail(self, error: RequestError) -> bytes:
        """Return the events of an error that ends the stream."""
        ...

    def whole(self, ending: ChatEnding) -> dict[str, Any]:
        """Return the answer as one object, once all steps were written."""
        ...


class ChatTranslation:
    """Turns a chat's stream into the events of another API."""

    def __init__(self, writer: AnswerWriter) -> None:
        self._writer = writer
        self._reader = sse.EventReader()
        self._parts = AnswerParts()
        self._ending = ChatEnding()
        self._has_begun = False
        self.is_over = False
        """Whether the stream's own end was written."""

    def feed(self, data: bytes) -> bytes:
        """Return the events that these bytes of the chat's stream become; none once it is over."""
        if self.is_over:
            return b""
        events = [self._begin()]
        for event in self._reader.feed(data):
            if event.data == sse.DONE:
                events.append(self._end())
                break
            events.append(self._chunk(event.data))
        return b"".join(events)

    def fail(self, error: RequestError) -> bytes:
        """Return the events that end the stream with an error."""
        if self.is_over:
            return b""
        self.is_over = True
        return self._begin() + self._writer.fail(error)

    def _begin(self) -> bytes:
        if self._has_begun:
            return b""
        self._has_begun = True
        return self._writer.begin()

    def _chunk(self, data: str) -> bytes:
        """Raise UpstreamFailed where a field is not of OpenAI's type."""
        steps: list[PartStep] = []
        try:
            chunk: dict[str, Any] = orjson.loads(data)
            self._ending = self._ending.counted(chunk.get("usage"))
            for choice in chunk.get("choices") or ():
                steps += self._parts.take(choice.get("delta") or {})
                self._ending = self._ending.after(choice)
        except (TypeError, ValueError, AttributeError) as error:
            raise UpstreamFailed("a chunk of the replica's is not OpenAI's") from error
        return self._writer.write(steps)

    def _end(self) -> bytes:
        self.is_over = True
        return self._writer.write(self._parts.end()) + self._writer.end(self._ending)


class TranslatedStream(StreamSink):
    """A stream whose events are those of another API."""

    def __init__(self, request: web.Request, writer: AnswerWriter) -> None:
        super().__init__(request)
        self._writer = writer
        self._translation = ChatTranslation(writer)

    async def begin(self, started: Started) -> None:
        """Make the headers, which leave with the first events, in one piece."""
        own = self._writer.headers(started.request_id)
        await self.begin_with(started_headers(started) | own)

    async def write(self, data: bytes) -> None:
        """Send what the chat's events become. Raises RequestCancelled if the client left."""
        events = self._translation.feed(data)
        await self.send(events, ends=self._translation.is_over)

    def write_now(self, data: bytes) -> bool:
        """Leave it to `write`: what was translated can be sent only once."""
        return False

    async def fail(self, error: RequestError, event: str | None = None) -> None:
        """End the stream with the error in the shape of the other API."""
        await self.send(self._translation.fail(error), ends=True)


class TranslatedWhole(WholeSink):
    """One JSON body in the form of another API."""

    def __init__(self, writer: AnswerWriter) -> None:
        super().__init__()
        self._writer = writer

    async def begin(self, started: Started) -> None:
        """Make the headers."""
        await super().begin(started)
        self.headers |= self._writer.headers(started.request_id)

    def response(self) -> web.Response:
        """Return the finished response. Raises UpstreamFailed."""
        self.body = orjson.dumps(whole_answer(orjson.loads(self.body), self._writer))
        return super().response()


class TranslatedSinks:
    """Answers in the form of another API."""

    def __init__(self, request: web.Request, writer: AnswerWriter) -> None:
        self._request, self._writer = request, writer

    def stream(self) -> StreamSink:
        """Return that of a stream."""
        return TranslatedStream(self._request, self._writer)

    def whole(self) -> WholeSink:
        """Return that of an answer in one piece."""
        return TranslatedWhole(self._writer)


def whole_answer(chat: Mapping[str, Any], writer: AnswerWriter) -> dict[str, Any]:
    """Return a chat's whole answer in the writer's shape. Raises UpstreamFailed."""
    parts = AnswerParts()
    try:
        choice: Mapping[str, Any] = chat["choices"][0]
        steps = [*parts.take(choice.get("message") or {}), *parts.end()]
        ending = ChatEnding().after(choice).counted(chat.get("usage"))
    except (LookupError, TypeError, AttributeError) as error:
        raise UpstreamFailed("the replica's answer is no chat completion") from error
    writer.write(steps)
    return writer.whole(ending)
