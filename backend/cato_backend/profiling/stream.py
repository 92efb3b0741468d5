"""Streams of a live replica with the time of each token, on a clock that may be the engine's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp
import orjson

from cato_backend.clock import Clock, monotonic
from cato_backend.errors import EngineError
from cato_backend.replicas import connect_errors
from cato_backend.replicas.replica import Replica
from cato_backend.wire import sse

_TIMEOUT = aiohttp.ClientTimeout(sock_connect=5, sock_read=120)


class ServerUnreachable(EngineError):
    """A connection to the replica could not be made, or broke."""


class StreamEnded(EngineError):
    """A stream ended before the expected tokens arrived."""


class TokenStream:
    """The tokens of one stream so far."""

    def __init__(self, prompt_tokens: int, sent_at: float) -> None:
        self.prompt_tokens = prompt_tokens
        self.sent_at = sent_at
        self.arrivals: list[float] = []
        """When each token came; those of one piece came together."""
        self.cached_tokens = 0
        """Cached tokens of the prompt by the engine's count; known at the end."""
        self._news = asyncio.Event()
        self._over: EngineError | None = None

    @property
    def ttft_s(self) -> float:
        """From sending to the first token. Raises IndexError before that."""
        return self.arrivals[0] - self.sent_at

    def arrived(self, tokens: int, now: float) -> None:
        """So many tokens came in one piece."""
        self.arrivals += [now] * tokens
        self._news.set()

    def end(self, reason: EngineError) -> None:
        """Mark the stream as ended."""
        self._over = reason
        self._news.set()

    async def reach(self, tokens: int) -> None:
        """Wait for this number of tokens. Raises EngineError where the stream ends before."""
        while len(self.arrivals) < tokens:
            if self._over is not None:
                raise self._over
            self._news.clear()
            await self._news.wait()


class ReplicaClient:
    """Sends prompts of token ids to one replica."""

    def __init__(
        self, session: aiohttp.ClientSession, replica: Replica, clock: Clock = monotonic
    ) -> None:
        self._session = session
        self._replica = replica
        self._clock = clock
        key = replica.api_key
        self._headers = {"authorization": f"Bearer {key}"} if key else {}

    def begin(self, prompt: Sequence[int]) -> TokenStream:
        """Return a stream whose request is sent now."""
        return TokenStream(len(prompt), self._clock())

    async def complete(self, prompt: Sequence[int], tokens: int) -> TokenStream:
        """Return a whole greedy stream of exactly this number of tokens."""
        stream = self.begin(prompt)
        await self.follow(stream, prompt, tokens)
        return stream

    async def follow(self, stream: TokenStream, prompt: Sequence[int], tokens: int) -> None:
        """Send the request and notes what comes until the end of the stream.

        Raises EngineError where the replica refuses, breaks off, or tells no token ids; who waits
        for the stream is told too.
        """
        try:
            await self._follow(stream, prompt, tokens)
        except EngineError as error:
            stream.end(error)
            raise
        stream.end(StreamEnded(f"all {tokens} tokens of a stream have come"))

    async def _follow(self, stream: TokenStream, prompt: Sequence[int], tokens: int) -> None:
        url = f"{self._replica.url}/v1/completions"
        try:
            async with self._session.post(
                url, json=self._body(prompt, tokens), headers=self._headers, timeout=_TIMEOUT
            ) as response:
                if response.status != 200:
                    said = (await response.text())[:300]
                    raise EngineError(f"{url} answered {response.status}: {said}")
                await self._read(response, stream)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise ServerUnreachable(f"{url}: {connect_errors.of_exception(error)}") from error
        except aiohttp.ClientError as error:
            raise EngineError(f"{url}: {connect_errors.of_exception(error)}") from error
        except (sse.MalformedStream, ValueError) as error:
            raise EngineError(f"{url}: its stream cannot be read: {error}") from error
        if len(stream.arrivals) != tokens:
            raise EngineError(f"{url}: {len(stream.arrivals)} token ids came, {tokens} were asked")

    async def _read(self, response: aiohttp.ClientResponse, stream: TokenStream) -> None:
        reader = sse.EventReader()
        async for data in response.content.iter_any():
            now = self._clock()
            for event in reader.feed(data):
                if event.data != sse.DONE:
                    _take(orjson.loads(event.data), stream, now)

    def _body(self, prompt: Sequence[int], tokens: int) -> dict[str, Any]:
        return {
            "model": self._replica.model,
            "prompt": list(prompt),
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_token_ids": True,
        }


def _take(piece: dict[str, Any], stream: TokenStream, now: float) -> None:
    if piece.get("error"):
        raise EngineError(f"the stream broke off: {piece['error']}")
    for choice in piece.get("choices", ()):
        stream.arrived(len(choice.get("token_ids") or ()), now)
    usage: dict[str, Any] = piece.get("usage") or {}
    details: dict[str, Any] = usage.get("prompt_tokens_details") or {}
    stream.cached_tokens = details.get("cached_tokens") or stream.cached_tokens
