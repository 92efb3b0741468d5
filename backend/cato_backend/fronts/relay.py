"""Requests that a front passes on as they are, and those same requests in the scheduler's process.

Whatever is no call of a model is answered there, by the handlers that answer it without fronts.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
from aiohttp import hdrs, web
from multidict import CIMultiDict
from yarl import URL

from cato_backend.errors import InvalidRequest, NotFound, ShuttingDown
from cato_backend.fronts.hub import peer_of
from cato_backend.gateway.guard import Handler

_CLIENT, _SCHEME = "X-Cato-Front-Client", "X-Cato-Front-Scheme"
"""Address of the client and scheme of its connection. A front sets both in every request."""
_OF_ONE_CONNECTION = frozenset(
    name.lower()
    for name in (
        hdrs.CONNECTION,
        hdrs.KEEP_ALIVE,
        hdrs.PROXY_AUTHENTICATE,
        hdrs.PROXY_AUTHORIZATION,
        hdrs.TE,
        hdrs.TRAILER,
        hdrs.TRANSFER_ENCODING,
        hdrs.UPGRADE,
    )
)
"""RFC 9110, 7.6.1."""
_OWN_HEADERS = (hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE, hdrs.USER_AGENT)
"""That the HTTP client would add."""
_GONE = "the scheduler's process does not answer"


@asynccontextmanager
async def relay_session(path: str) -> AsyncGenerator[aiohttp.ClientSession]:
    """Connect by the Unix socket of this path; no request waits for another one's end."""
    async with aiohttp.ClientSession(
        # A connection that was kept could be closed by the other end as the request leaves.
        connector=aiohttp.UnixConnector(path, limit=0, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        skip_auto_headers=_OWN_HEADERS,
    ) as session:
        yield session


async def relay(
    request: web.BaseRequest, session: aiohttp.ClientSession, *, closes: bool = False
) -> web.StreamResponse:
    """Return the scheduler's answer to a request. Raises RequestError.

    `closes`: the client is told that its connection ends.
    """
    body = _Body(request)
    try:
        async with session.request(
            request.method,
            _url_of(request),
            headers=_headers_of(request),
            data=body.chunks() if request.can_read_body else None,
            allow_redirects=False,
        ) as answer:
            return await _passed_on(answer, request, closes=closes)
    except aiohttp.ClientError as error:
        if body.is_broken:
            raise InvalidRequest("body: it is not sent as its headers say", param="body") from error
        raise ShuttingDown(_GONE, retry_after_s=1.0) from error


def inner(handler: Handler) -> Handler:
    """Return the handler for requests that fronts pass on, as their clients have sent them."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if not _is_ours(request):
            return web.Response(status=HTTPStatus.FORBIDDEN)
        headers = request.headers
        client, scheme = headers.get(_CLIENT, ""), headers.get(_SCHEME, "http")
        return await handler(request.clone(remote=client, scheme=scheme))

    return handle


def _is_ours(request: web.BaseRequest) -> bool:
    """Return whether a process of this user has sent it. The folder keeps others out already."""
    connection = request.get_extra_info("socket")
    return connection is not None and peer_of(connection)[1] == os.getuid()


def _url_of(request: web.BaseRequest) -> URL:
    target = request.rel_url.raw_path_qs
    if not target.startswith("/") or not target.isascii():
        raise NotFound(f"no such path: {request.path}")
    return URL(f"http://cato{target}", encoded=True)


def _headers_of(request: web.BaseRequest) -> CIMultiDict[str]:
    """Return the headers; those that are not text are left out."""
    given: CIMultiDict[str] = CIMultiDict(
        (name, value)
        for name, value in request.headers.items()
        if name.lower() not in _OF_ONE_CONNECTION and _is_text(value)
    )
    given.setdefault(hdrs.HOST, "")
    given[_CLIENT], given[_SCHEME] = request.remote or "", request.scheme
    return given


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Body:
    """The body of a request, which is read as it is sent on."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request

    @property
    def is_broken(self) -> bool:
        """Whether the client did not send it as its headers say."""
        return self._request.content.exception() is not None

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield what has come; a client that waits for leave to send it is given leave."""
        await send_continue(self._request)
        while chunk := await self._request.content.readany():
            yield chunk


async def send_continue(request: web.BaseRequest) -> None:
    """Tell a client that asked to go on and send its body."""
    expects = request.headers.get(hdrs.EXPECT, "").lower() == "100-continue"
    if expects and request.version == aiohttp.HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


async def _passed_on(
    answer: aiohttp.ClientResponse, request: web.BaseRequest, *, closes: bool
) -> web.StreamResponse:
    headers: CIMultiDict[str] = CIMultiDict(
        (name, value)
        for name, value in answer.headers.items()
        if name.lower() not in _OF_ONE_CONNECTION
    )
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    if hdrs.CONTENT_LENGTH not in headers and request.version == aiohttp.HttpVersion11:
        response.enable_chunked_encoding()
    if closes:
        response.force_close()
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
    except aiohttp.ClientError:
        # The answer's head has left: a client sees that the rest is missing by its cut.
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response
