"""One client connection: aiohttp's protocol, which reports its events to `Connections`."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
from aiohttp import EMPTY_PAYLOAD, StreamReader, web

from cato_backend.errors import InvalidRequest, RequestError
from cato_backend.gateway.connections import Connections
from cato_backend.gateway.responses import error_response

LINGERING_S = 5.0
"""How long the body of a request that was refused unread is still read and dropped. A client that
writes its whole body before it reads would otherwise see a reset instead of the answer."""

log = logging.getLogger(__name__)


class ClientConnection(web.RequestHandler):
    """Implements `connections.Client`."""

    __slots__ = ("_answered", "_connections", "_handler", "_unsent", "over_limit", "unread")

    def __init__(
        self, server: web.Server, connections: Connections, *, over_limit: bool, **options: Any
    ) -> None:
        super().__init__(server, **options)
        self._connections = connections
        self._handler: asyncio.Task[object] | None = None
        self._unsent = 0
        self._answered: StreamReader = EMPTY_PAYLOAD
        self.over_limit = over_limit
        """Whether its requests are refused, because there are too many connections."""
        self.unread = 0
        """Bytes received since it became idle."""

    @property
    def is_lingering(self) -> bool:
        """Whether what comes belongs to a request that was answered before its end."""
        return not self._answered.is_eof()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to read."""
        super().connection_made(transport)
        self._connections.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Record that it is gone."""
        self._connections.lost(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Part of a request; an empty one lets aiohttp continue with what it has."""
        if data and self._handler is None:
            self.unread += len(data)
            self._connections.received(self)
        super().data_received(data)

    def pause_writing(self) -> None:
        """Record that the client lags behind."""
        self.has_sent()
        self._connections.blocked(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        """Record that the client has caught up."""
        self._connections.unblocked(self)
        super().resume_writing()

    def has_sent(self) -> bool:
        """Return whether some of what was written has left since this was last asked."""
        before = self._unsent
        self._unsent = self.transport.get_write_buffer_size() if self.transport else 0
        return self._unsent < before

    def begin(self) -> None:
        """Record that a request's head is whole; its handler runs."""
        self._handler = asyncio.current_task()
        self._connections.began(self)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer; the connection is idle afterwards."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._handler = None
            self.unread = 0
            self._answered = request.content
            self._connections.answered(self)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what could not be read as HTTP. Ends the connection."""
        if isinstance(exc, ConnectionError):
            raise exc
        # What could not be read may hold a token: only its kind is logged.
        log.debug("a request could not be read: %s", type(exc).__name__)
        response = error_response(InvalidRequest("the request is not well-formed HTTP/1.1"))
        response.force_close()
        return response

    def cut(self) -> None:
        """Cancel the handler of the request that is under way."""
        if self._handler is not None:
            self._handler.cancel()

    def refuse(self, error: RequestError) -> None:
        """Answers a request whose head is not whole, and closes."""
        if self.transport is not None:
            self.transport.write(_raw(error))
        self.force_close()

    def abort(self) -> None:
        """Close at once, without a word: nothing is under way, or the client takes nothing."""
        if self.transport is not None:
            self.transport.abort()
        self.force_close()


def _raw(error: RequestError) -> bytes:
    """Return a whole HTTP response, for where aiohttp has no request to answer."""
    body = orjson.dumps(error.body())
    head = (
        f"HTTP/1.1 {error.status} {error.code}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
