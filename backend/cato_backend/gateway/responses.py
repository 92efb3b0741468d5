"""Responses to clients: JSON, errors, and the streams and bodies of calls."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Mapping
from typing import Protocol

import orjson
from aiohttp import HttpVersion11, web

from cato_backend.errors import (
    InternalError,
    MethodNotAllowed,
    RequestCancelled,
    RequestError,
    Unauthorized,
    UnsupportedEncoding,
)
from cato_backend.gateway.error_forms import OPENAI, ErrorForm
from cato_backend.runtime.calls import Sink, Started
from cato_backend.wire import headers as names
from cato_backend.wire import sse

_END = sse.event(sse.DONE)
log = logging.getLogger(__name__)

_REFUSAL = web.ResponseKey("refusal", str)
_STREAM_HEADERS = {
    "Content-Type": f"{sse.CONTENT_TYPE}; charset=utf-8",
    "Cache-Control": "no-cache",
    # A proxy such as nginx would otherwise collect the stream before it passes it on.
    "X-Accel-Buffering": "no",
}


def json_response(value: object, status: int = 200) -> web.Response:
    """Return a JSON response."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def error_response(
    error: RequestError, request_id: str | None = None, form: ErrorForm = OPENAI
) -> web.Response:
    """Return the error with its status; one that passes says when to come back."""
    response = json_response(form.body(error, request_id), form.status(type(error)))
    response[_REFUSAL] = error.code
    if request_id:
        response.headers[names.REQUEST_ID] = request_id
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
        response.headers[names.RETRY_AFTER_MS] = str(math.ceil(error.retry_after_s * 1e3))
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = error.allowed
    if isinstance(error, UnsupportedEncoding):
        response.headers["Accept-Encoding"] = "gzip, deflate"
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def refusal_code(response: web.StreamResponse) -> str | None:
    """Return the code of the error that is answered; None where none is."""
    code: str | None = response.get(_REFUSAL)
    return code


def error_event(error: RequestError, name: str | None = None) -> bytes:
    """Return the error as one event of a stream."""
    return json_event(error.body(), name)


def json_event(value: object, name: str | None = None) -> bytes:
    """Return a JSON value as one event of a stream."""
    return sse.json_event(orjson.dumps(value), name)


def started_headers(started: Started) -> dict[str, str]:
    """Return the response headers of the wire contract."""
    headers = {
        names.REQUEST_ID: started.request_id,
        names.TASK: started.task,
        names.REPLICA: started.replica_id,
        names.QUEUE_MS: f"{started.queue_s * 1e3:.1f}",
        names.LOAD: f"{started.load:.3f}",
    }
    if started.predicted_s is not None:
        headers[names.PREDICTED_MS] = f"{started.predicted_s * 1e3:.1f}"
    return headers


class _Response(web.StreamResponse):
    _send_headers_immediately = False
    """As aiohttp does for a body that is there from the start."""


class StreamSink(Sink):
    """Server-sent events. Nothing is sent before `begin`: until then an error can be a status."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._connection = request.protocol
        self._response: web.StreamResponse | None = None
        self._chunked = request.version >= HttpVersion11
        self._under_way = False
        """Between the first write and the last."""
        self._ended = False

    @property
    def response(self) -> web.StreamResponse | None:
        """The response, once it has begun."""
        return self._response

    async def begin(self, started: Started) -> None:
        """Make the headers, which leave with the first events, in one piece."""
        await self.begin_with(started_headers(started))

    async def begin_with(self, headers: Mapping[str, str]) -> None:
        """Begin with these headers besides those of every stream."""
        self._response = _Response(headers={**_STREAM_HEADERS, **headers})
        if self._chunked:
            self._response.enable_chunked_encoding()
        await self._response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Pass events on, up to the stream's own end. Raises RequestCancelled if the client left.

        The end of the response leaves with the last event, in one piece.
        """
        await self.send(data, ends=data.endswith(_END))

    async def send(self, data: bytes, *, ends: bool) -> None:
        """Send events; `ends`: they are the last ones. Raises RequestCancelled as `write` does."""
        if self._response is None:
            raise RuntimeError("write before begin")
        if self._ended:
            return
        self._ended = ends
        self._under_way = not self._ended
        try:
            if self._ended:
                await self._response.write_eof(data)
            else:
                await self._response.write(data)
        except ConnectionError as error:
            raise RequestCancelled("the client has gone") from error

    def write_now(self, data: bytes) -> bool:
        """Pass events on past aiohttp's writer, whose way is longer than all else for a token.

        Returns False for the end, before the first write, and where the client has gone or lags.
        """
        transport = self._connection.transport
        if not self._under_way or self._connection.writing_paused or data.endswith(_END):
            return False
        if transport is None or transport.is_closing():
            return False
        transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return True

    async def serve(self, work: Awaitable[object], event: str | None = None) -> web.StreamResponse:
        """Return the response that `work` fills. Raises its errors as long as nothing was sent.

        Later errors end the stream: the error as an event of this name, then the end that clients
        await.
        """
        failure: RequestError | None = None
        try:
            await work
        except RequestError as error:
            failure = error
            if self._response is None:
                raise
        except Exception:
            failure = InternalError()
            if self._response is None:
                raise
            log.exception("a defect in mid-stream")
        if self._response is None:
            raise RuntimeError("the call ended without a beginning")
        if failure is not None and not isinstance(failure, RequestCancelled):
            await self.fail(failure, event)
        return self._response

    async def fail(self, error: RequestError, event: str | None = None) -> None:
        """End the stream with the error as an event of this name."""
        await self.write(error_event(error, event) + _END)


class WholeSink(Sink):
    """One JSON body, kept until it is whole."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""

    async def begin(self, started: Started) -> None:
        """Make the headers, which leave with the first events, in one piece."""
        self.headers = started_headers(started)

    async def write(self, data: bytes) -> None:
        """Remember the body."""
        self.body += data

    def response(self) -> web.Response:
        """Return the finished response."""
        return web.Response(body=self.body, content_type="application/json", headers=self.headers)


class Sinks(Protocol):
    """Makes the sinks for the answer to one request."""

    def stream(self) -> StreamSink:
        """Return that of a stream."""
        ...

    def whole(self) -> WholeSink:
        """Return that of an answer in one piece."""
        ...


class PlainSinks:
    """Answers as the engine gives them."""

    def __init__(self, request: web.Request) -> None:
        self._request = request

    def stream(self) -> StreamSink:
        """Return that of a stream."""
        return StreamSink(self._request)

    def whole(self) -> WholeSink:
        """Return that of an answer in one piece."""
        return WholeSink()
