"""Reading request bodies: bounded in size and time, and inflated off the event loop."""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from aiohttp import web

from cato_backend.config import ServerConfig
from cato_backend.errors import BodyTooLarge, InvalidRequest, RequestTimeout, UnsupportedEncoding

_LEAST_BYTES_PER_S = 16 * 1024
"""A body that comes more slowly runs into the time limit."""
_MOST_RATIO = 100
_ANY_RATIO_BYTES = 1024 * 1024
"""Up to this size a body may be compressed as well as it can be: to inflate it takes 3 ms."""
_GZIP, _ZLIB, _DEFLATE = 31, 15, -15
"""zlib's `wbits` of the three formats; what HTTP calls deflate is zlib's, or bare deflate."""


class BodyReader:
    """Reads the bodies of authenticated requests."""

    def __init__(self, config: ServerConfig) -> None:
        self._limit = config.max_body_bytes
        self._timeout_s = config.body_timeout_s
        self._inflating = ThreadPoolExecutor(1, thread_name_prefix="inflate")

    def close(self) -> None:
        """End the thread that inflates."""
        self._inflating.shutdown(wait=False, cancel_futures=True)

    def check_head(self, request: web.BaseRequest) -> None:
        """Refuse by its headers what `read` would refuse. Raises RequestError."""
        _encoding(request)
        self._check(request.content_length or 0)

    async def read(self, request: web.BaseRequest) -> bytes:
        """Return the body without its content encoding. Raises RequestError."""
        encoding = _encoding(request)
        data = await self._received(request)
        if encoding is None or not data:
            return data
        limit = min(self._limit, max(_ANY_RATIO_BYTES, _MOST_RATIO * len(data)))
        loop = asyncio.get_running_loop()
        inflated = await loop.run_in_executor(self._inflating, _inflated, data, encoding, limit)
        if inflated.is_cut and len(inflated.data) < limit:
            raise InvalidRequest(f"body: its {encoding} data are not complete", param="body")
        if inflated.is_cut:
            raise self._too_large(f"inflated more than {_MOST_RATIO} times, or larger")
        return inflated.data

    async def _received(self, request: web.BaseRequest) -> bytes:
        content = request.content
        if content.is_eof():
            whole = content.read_nowait()
            self._check(len(whole))
            return whole
        loop = asyncio.get_running_loop()
        began, data = loop.time(), bytearray()
        try:
            async with asyncio.timeout(self._timeout_s) as scope:
                while chunk := await content.readany():
                    data += chunk
                    self._check(len(data))
                    allowed_s = self._timeout_s + len(data) / _LEAST_BYTES_PER_S
                    if not scope.expired():  # It may expire while the last chunk arrives.
                        scope.reschedule(began + allowed_s)
        except TimeoutError as error:
            raise RequestTimeout("body: it took too long to arrive", param="body") from error
        return bytes(data)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise self._too_large("larger")

    def _too_large(self, how: str) -> BodyTooLarge:
        return BodyTooLarge(f"body: {how} than {self._limit} bytes", param="body")


class _Inflated(NamedTuple):
    data: bytes
    is_cut: bool
    """Whether the encoded data go on, or end before their own end."""


def _encoding(request: web.BaseRequest) -> str | None:
    """`gzip` or `deflate`; None for a body as it is. Raises UnsupportedEncoding."""
    if "Content-Encoding" not in request.headers:
        return None
    given = ",".join(request.headers.getall("Content-Encoding")).lower()
    match [name.strip() for name in given.split(",") if name.strip() not in ("", "identity")]:
        case []:
            return None
        case ["gzip" | "x-gzip"]:
            return "gzip"
        case ["deflate"]:
            return "deflate"
        case _:
            raise UnsupportedEncoding(
                f"content-encoding: got {given[:50]!r}, expected gzip, deflate or identity",
                param="content-encoding",
            )


def _inflated(data: bytes, encoding: str, limit: int) -> _Inflated:
    """At most `limit` bytes. Raises InvalidRequest for data in another format."""
    bits = _GZIP if encoding == "gzip" else _ZLIB if data[0] & 0x0F == 8 else _DEFLATE
    inflater = zlib.decompressobj(bits)
    try:
        inflated = inflater.decompress(data, limit)
    except zlib.error as error:
        raise InvalidRequest(f"body: it is not {encoding}: {error}", param="body") from error
    if inflater.unused_data:
        raise InvalidRequest(f"body: data behind the end of its {encoding} data", param="body")
    return _Inflated(inflated, not inflater.eof)
