"""Errors as responses and as events: OpenAI's error object in both."""

from __future__ import annotations

import math

import orjson
from aiohttp import web

from cato_backend.errors import (
    MethodNotAllowed,
    RequestError,
    Unauthorized,
    UnsupportedEncoding,
)
from cato_backend.wire import headers as names
from cato_backend.wire import sse


def json_response(value: object, status: int = 200) -> web.Response:
    """Return a JSON response."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def error_response(error: RequestError, request_id: str | None = None) -> web.Response:
    """Return the error with its status; one that passes says when to come back."""
    response = json_response(error.body(), error.status)
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


def error_event(error: RequestError, name: str | None = None) -> bytes:
    """Return the error as one event of a stream."""
    return sse.event(orjson.dumps(error.body()).decode(), name)
