"""What every request passes before it is routed, and the answer to every error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import HttpVersion10, HttpVersion11, web

from cato_backend.errors import (
    ExpectationFailed,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RequestError,
    TooManyConnections,
)
from cato_backend.gateway.connection import ClientConnection
from cato_backend.gateway.credentials import check_local, is_loopback
from cato_backend.gateway.headers import given_request_id
from cato_backend.gateway.responses import error_response
from cato_backend.gateway.routes import OPEN_PATHS
from cato_backend.gateway.state import TENANT, Gateway

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

ResponseT = TypeVar("ResponseT", bound=web.StreamResponse)

_VERSIONS = (HttpVersion10, HttpVersion11)
log = logging.getLogger(__name__)


class Guard:
    """Stands in front of aiohttp's router.

    A middleware would come too late: to `Expect: 100-continue` the router answers before any
    middleware runs, so that a client without a token would be told to send its body.
    """

    def __init__(self, gateway: Gateway, route: Handler) -> None:
        self._gateway = gateway
        self._route = route

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """The response to a request whose head is whole."""
        connection = request.protocol
        if isinstance(connection, ClientConnection):
            connection.begin()
        try:
            self._admit(request)
            return self._finished(await self._route(request))
        except RequestError as error:
            refused = error
        except web.HTTPException as error:
            refused = _as_request_error(error, request)
        except asyncio.CancelledError:
            if not self._is_cut(request):
                raise
            refused = self._gateway.drain.refusal()
        except web.RequestPayloadError:
            refused = InvalidRequest("body: it is not sent as its headers say", param="body")
        except Exception:
            log.exception("a defect while serving %s", request.path)
            refused = InternalError()
        return self._finished(_refusal(refused, request))

    def _finished(self, response: ResponseT) -> ResponseT:
        if self._gateway.drain.is_draining:
            response.force_close()
        return response

    def _is_cut(self, request: web.BaseRequest) -> bool:
        """Whether the end of the server cancelled the request, and it can still be answered."""
        task, writer = asyncio.current_task(), request.writer
        if request.transport is None or writer.output_size or not self._gateway.drain.is_cutting:
            return False
        return task is not None and task.uncancel() == 0

    def _admit(self, request: web.BaseRequest) -> None:
        """Raises RequestError. Nothing of the body has been read yet."""
        gateway = self._gateway
        if request.version not in _VERSIONS:
            raise InvalidRequest("HTTP version: expected 1.0 or 1.1")
        if is_loopback(gateway.config.server.host):
            check_local(request)
        gateway.runtime.last_asked = gateway.runtime.clock()
        request[TENANT] = ""
        if request.path not in OPEN_PATHS:
            _check_room(request)
            authorization = request.headers.get("Authorization")
            request[TENANT] = gateway.credentials.tokens.tenant(authorization)
        gateway.drain.check(request.path)
        gateway.bodies.check_head(request)


def _check_room(request: web.BaseRequest) -> None:
    connection = request.protocol
    if isinstance(connection, ClientConnection) and connection.over_limit:
        raise TooManyConnections("too many connections; come back later")


def _refusal(error: RequestError, request: web.BaseRequest) -> web.Response:
    response = error_response(error, given_request_id(request.headers))
    if isinstance(error, TooManyConnections) or request.content.exception() is not None:
        # Where the body has no end that can be found, no request can follow.
        response.force_close()
    return response


def _as_request_error(error: web.HTTPException, request: web.BaseRequest) -> RequestError:
    """aiohttp's own refusals, in our terms."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(
            f"{request.method}: {request.path} takes {allowed}", allowed=allowed
        )
    if isinstance(error, web.HTTPExpectationFailed):
        return ExpectationFailed("expect: expected 100-continue", param="expect")
    return NotFound(f"no such path: {request.path}")
