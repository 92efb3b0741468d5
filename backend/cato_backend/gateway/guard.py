"""Checks of every request before it is routed, and the response to every error."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Protocol, TypeVar

from aiohttp import HttpVersion10, HttpVersion11, web

from cato_backend.config import Config
from cato_backend.errors import (
    ExpectationFailed,
    Forbidden,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RequestError,
    TooManyConnections,
    Unauthorized,
)
from cato_backend.gateway.connection import ClientConnection
from cato_backend.gateway.drain import Drain
from cato_backend.gateway.error_forms import form_of
from cato_backend.gateway.headers import given_request_id
from cato_backend.gateway.page_session import authorization_of
from cato_backend.gateway.responses import error_response, refusal_code
from cato_backend.gateway.routes import COUNTED_PATHS, is_open
from cato_backend.gateway.state import REQUESTER, TENANT, Gateway
from cato_backend.gateway.trusted_proxies import TrustedProxies
from cato_backend.logs import RateLimitedLog
from cato_backend.metrics import Metrics
from cato_backend.wire.addresses import is_loopback

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

ResponseT = TypeVar("ResponseT", bound=web.StreamResponse)

_VERSIONS = (HttpVersion10, HttpVersion11)

_MOST_REFUSED, _PERIOD_S = 10, 60.0
"""At most `_MOST_REFUSED` refused tokens are logged in `_PERIOD_S` seconds."""

log = logging.getLogger(__name__)


def check_local(request: web.BaseRequest) -> None:
    """Refuse what a web page in the user's browser could send here. Raises Forbidden.

    A page can make the browser connect to loopback: its request carries an Origin, or, by DNS
    rebinding, the page's own host name. The server's own page has the server's own origin.
    """
    host = request.headers.get("Host", "")
    if not _names_loopback(host):
        raise Forbidden("host: expected localhost or a loopback address")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{host}":
        raise Forbidden("origin: requests of other web pages are refused on a loopback address")


@lru_cache(maxsize=256)
def _names_loopback(host: str) -> bool:
    """Return whether a `Host` header, with or without a port, names this machine."""
    return is_loopback(host.rpartition(":")[0] if _has_port(host) else host)


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]") and host.count(":") != 0


class Guarded(Protocol):
    """What a guard needs to know of its server."""

    drain: Drain
    proxies: TrustedProxies

    @property
    def metrics(self) -> Metrics:
        """Where refusals are counted."""
        ...


class RequestGuard(ABC):
    """Answers every error in the form of its path, and counts it."""

    def __init__(self, gateway: Guarded) -> None:
        self._server = gateway
        self._refused = RateLimitedLog(log, _MOST_REFUSED, _PERIOD_S)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the response to a request whose head is whole."""
        connection = request.protocol
        if isinstance(connection, ClientConnection):
            connection.begin()
        try:
            self._admit(request)
            return self._finished(await self._answer(request))
        except RequestError as error:
            refused = error
        except web.HTTPException as error:
            refused = _as_request_error(error, request)
        except asyncio.CancelledError:
            if not self._is_cut(request):
                raise
            refused = self._server.drain.refusal()
        except web.RequestPayloadError:
            refused = InvalidRequest("body: it is not sent as its headers say", param="body")
        except Exception:
            named = {"request_id": given_request_id(request.headers) or ""}
            log.exception("a defect while serving %r", request.path, extra=named)
            refused = InternalError()
        if isinstance(refused, Unauthorized):
            self._note_refused(refused, request)
        return self._finished(_refusal(refused, request))

    def _note_refused(self, error: Unauthorized, request: web.BaseRequest) -> None:
        """Log that a token was refused; never the token, nor anything else of the request."""
        client = self._server.proxies.client_of(request) or "an unknown address"
        extra = {"code": error.code, "client": client}
        self._refused.warning("a request from %s was refused: %s", client, error.code, extra=extra)

    @abstractmethod
    def _admit(self, request: web.BaseRequest) -> None:
        """Raise RequestError. Nothing of the body has been read yet."""

    @abstractmethod
    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the response to an admitted request. Raises RequestError."""

    def _finished(self, response: ResponseT) -> ResponseT:
        code = refusal_code(response)
        if code is not None:
            self._server.metrics.refusals.labels(code).inc()
        if self._server.drain.is_draining:
            response.force_close()
        return response

    def _is_cut(self, request: web.BaseRequest) -> bool:
        """Return whether the server's end cancelled the request, and it can be answered."""
        task, writer = asyncio.current_task(), request.writer
        if request.transport is None or writer.output_size or not self._server.drain.is_cutting:
            return False
        return task is not None and task.uncancel() == 0


class Guard(RequestGuard):
    """Stands in front of aiohttp's router.

    A middleware would come too late: to `Expect: 100-continue` the router answers before any
    middleware runs, so that a client without a token would be told to send its body.
    """

    def __init__(self, gateway: Gateway, route: Handler) -> None:
        super().__init__(gateway)
        self._gateway = gateway
        self._route = route

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the response of the router, within the limits of team and person."""
        teams = self._gateway.runtime.teams
        if request.path not in COUNTED_PATHS or not teams.knows(request[TENANT]):
            return await self._route(request)
        with teams.admitted(request[TENANT]):
            return await self._route(request)

    def _admit(self, request: web.BaseRequest) -> None:
        gateway = self._gateway
        check_head(request, gateway.config)
        gateway.runtime.last_asked = gateway.runtime.clock()
        request[TENANT] = ""
        if not is_open(request.path):
            check_room(request)
            requester = gateway.credentials.identify(authorization_of(request, gateway.config))
            request[TENANT], request[REQUESTER] = requester.tenant, requester
        gateway.drain.check(request.path)
        gateway.bodies.check_head(request)


def check_head(request: web.BaseRequest, config: Config) -> None:
    """Refuse other versions of HTTP, and on loopback web pages. Raises RequestError."""
    if request.version not in _VERSIONS:
        raise InvalidRequest("HTTP version: expected 1.0 or 1.1")
    if is_loopback(config.server.host):
        check_local(request)


def check_room(request: web.BaseRequest) -> None:
    """Raise TooManyConnections for a connection beyond the limit."""
    connection = request.protocol
    if isinstance(connection, ClientConnection) and connection.over_limit:
        raise TooManyConnections("too many connections; come back later")


def _refusal(error: RequestError, request: web.BaseRequest) -> web.Response:
    form = form_of(request.path)
    response = error_response(error, given_request_id(request.headers), form)
    if isinstance(error, TooManyConnections) or request.content.exception() is not None:
        # Where the body has no end that can be found, no request can follow.
        response.force_close()
    return response


def _as_request_error(error: web.HTTPException, request: web.BaseRequest) -> RequestError:
    """Return one of aiohttp's own refusals, in our terms."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(
            f"{request.method}: {request.path} takes {allowed}", allowed=allowed
        )
    if isinstance(error, web.HTTPExpectationFailed):
        return ExpectationFailed("expect: expected 100-continue", param="expect")
    return NotFound(f"no such path: {request.path}")
