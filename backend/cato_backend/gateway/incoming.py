"""Reads request bodies within limits of size and time, inflates and checks them."""

from __future__ import annotations

import asyncio
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar, cast

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cato_backend.config import ServerConfig
from cato_backend.errors import BodyTooLarge, InvalidRequest, RequestTimeout, UnsupportedEncoding

_LEAST_BYTES_PER_S = 16 * 1024
"""A body that comes more slowly runs into the time limit."""
_MOST_RATIO = 100
_ANY_RATIO_BYTES = 1024 * 1024
"""Up to this size a body may be compressed as well as it can be: to inflate it takes 3 ms."""
_GZIP, _ZLIB, _DEFLATE = 31, 15, -15
"""zlib's `wbits` of the three formats; what HTTP calls deflate is zlib's, or bare deflate."""
_DEEPEST = 100
"""Levels of arrays and objects. Engines, and what writes their requests, end a little above 250."""
_LONGEST_SHOWN = 40
_PYDANTICS = re.compile(r"Input should be|\w+ should have")
BodyT = TypeVar("BodyT", bound=BaseModel)


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
    """Whether the encoded data continue, or end before their own end."""


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


def parse_json(data: bytes) -> dict[str, Any]:
    """Return the JSON object in a body. Raises InvalidRequest."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"body: not JSON: {error}", param="body") from error
    if not isinstance(value, dict):
        got = type(value).__name__
        raise InvalidRequest(f"body: got a JSON {got}, expected an object", param="body")
    body = cast("dict[str, Any]", value)
    if _may_be_deep(data) and _is_deep(body):
        raise InvalidRequest(f"body: nested deeper than {_DEEPEST} levels", param="body")
    return body


def validated(kind: type[BodyT], value: dict[str, Any]) -> BodyT:
    """Return the checked body. Raises InvalidRequest naming the first bad field."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = field_name(first["loc"])
        raise InvalidRequest(f"{field}: {_complaint(first)}", param=field) from error


def field_name(location: tuple[int | str, ...]) -> str:
    """`("messages", 0, "role")` as `messages[0].role`; alternatives of a union are left out."""
    name = ""
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        elif part.isidentifier() and part not in ("str", "int", "float", "constrained"):
            name += f".{part}" if name else part
    return name


def _may_be_deep(data: bytes) -> bool:
    """Check the depth of brackets by counting.

    Counting is a hundred times as fast as looking, and enough for most bodies.
    """
    return data.count(b"[") + data.count(b"{") > _DEEPEST


def _is_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(_DEEPEST):
        level = [item for parent in level for item in _containers(parent)]
        if not level:
            return False
    return True


def _containers(parent: object) -> list[object]:
    items = cast("dict[str, object]", parent).values() if isinstance(parent, dict) else parent
    return [item for item in cast("list[object]", items) if isinstance(item, list | dict)]


def _complaint(error: ErrorDetails) -> str:
    """Return what was got and what is expected. A longer text is not shown, for it may be code."""
    if error["type"] == "missing":
        return "got nothing, expected a value"
    if error["type"] == "extra_forbidden":
        return "no such field"
    got, expected = error["input"], error["msg"].removeprefix("Value error, ")
    expected = _PYDANTICS.sub("expected", expected).partition(" after validation")[0]
    shown = repr(got) if got is None or isinstance(got, int | float) else type(got).__name__
    if isinstance(got, str) and len(got) <= _LONGEST_SHOWN:
        shown = repr(got)
    return f"got {shown}, {expected}"
