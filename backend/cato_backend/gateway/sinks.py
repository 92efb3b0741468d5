"""Where answers go: an SSE response that is begun late, or one JSON body."""

from __future__ import annotations

from aiohttp import web

from cato_backend.errors import Cancelled, RequestError
from cato_backend.gateway.responses import error_event
from cato_backend.runtime.calls import Started
from cato_backend.wire import headers as names
from cato_backend.wire import sse

_STREAM_HEADERS = {
    "Content-Type": f"{sse.CONTENT_TYPE}; charset=utf-8",
    "Cache-Control": "no-cache",
    # A proxy such as nginx would otherwise collect the stream before it passes it on.
    "X-Accel-Buffering": "no",
}


def started_headers(started: Started) -> dict[str, str]:
    """The response headers of the wire contract."""
    headers = {
        names.REQUEST_ID: started.request_id,
        names.REPLICA: started.replica_id,
        names.QUEUE_MS: f"{started.queue_s * 1e3:.1f}",
        names.LOAD: f"{started.load:.3f}",
    }
    if started.predicted_s is not None:
        headers[names.PREDICTED_MS] = f"{started.predicted_s * 1e3:.1f}"
    return headers


class StreamSink:
    """Server-sent events. Nothing is sent before `begin`: until then an error can be a status."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._response: web.StreamResponse | None = None

    @property
    def response(self) -> web.StreamResponse | None:
        """The response, once it has begun."""
        return self._response

    async def begin(self, started: Started) -> None:
        """Sends the headers."""
        await self.open(started_headers(started))

    async def open(self, headers: dict[str, str]) -> web.StreamResponse:
        """Sends these headers and those of every stream."""
        self._response = web.StreamResponse(headers=_STREAM_HEADERS | headers)
        await self._response.prepare(self._request)
        return self._response

    async def write(self, data: bytes) -> None:
        """Passes events on. Raises Cancelled where the client has gone."""
        if self._response is None:
            raise RuntimeError("write before begin")
        try:
            await self._response.write(data)
        except ConnectionError as error:
            raise Cancelled("the client has gone") from error

    def finished(self) -> web.StreamResponse:
        """The response of a call that ended well."""
        if self._response is None:
            raise RuntimeError("the call ended without a beginning")
        return self._response

    async def fail(self, error: RequestError) -> None:
        """Ends a stream that has begun: the error as an event, then the end that clients await."""
        await self.write(error_event(error) + sse.event(sse.DONE))


class WholeSink:
    """One JSON body, kept until it is whole."""

    def __init__(self) -> None:
        self._headers: dict[str, str] = {}
        self._body = b""

    async def begin(self, started: Started) -> None:
        """Remembers the headers."""
        self._headers = started_headers(started)

    async def write(self, data: bytes) -> None:
        """Remembers the body."""
        self._body += data

    def response(self) -> web.Response:
        """The finished response."""
        return web.Response(body=self._body, content_type="application/json", headers=self._headers)
