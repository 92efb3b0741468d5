"""The aiohttp application: routes and the one middleware that guards them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from cato_backend.errors import (
    BodyTooLarge,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RequestError,
)
from cato_backend.gateway import calls, control, feedback, tasks, warm
from cato_backend.gateway.auth import check_local, is_loopback
from cato_backend.gateway.headers import given_request_id
from cato_backend.gateway.responses import error_response
from cato_backend.gateway.state import GATEWAY, TENANT, Gateway
from cato_backend.wire.feedback import FEEDBACK_PATH
from cato_backend.wire.warm import WARM_PATH

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_OPEN_PATHS = frozenset({"/health"})


def make_app(gateway: Gateway) -> web.Application:
    """The application, ready for an AppRunner with `handler_cancellation=True`."""
    app = web.Application(
        middlewares=[_guard], client_max_size=gateway.config.server.max_body_bytes
    )
    app[GATEWAY] = gateway
    app.add_routes(
        [
            web.post("/v1/completions", calls.completions),
            web.post("/v1/chat/completions", calls.chat_completions),
            web.post("/v1/tasks", tasks.tasks),
            web.post(WARM_PATH, warm.warm),
            web.post(FEEDBACK_PATH, feedback.give),
            web.get(FEEDBACK_PATH, feedback.export),
            web.post("/v1/requests/{id}/cancel", control.cancel),
            web.get("/v1/models", control.models),
            web.get("/v1/models/{name:.+}", control.model),
            web.get("/v1/replicas/{id}/profile", control.replica_profile),
            web.get("/health", control.health),
            web.get("/metrics", control.metrics),
        ]
    )
    return app


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Authentication before anything else, and an answer in OpenAI's shape for every error."""
    try:
        _admit(request)
        return await handler(request)
    except RequestError as error:
        refused = error
    except web.HTTPException as error:
        refused = _as_request_error(error, request)
    except web.RequestPayloadError:
        refused = InvalidRequest("body: it is not encoded as its headers say", param="body")
    except Exception:
        log.exception("a defect while serving %s", request.path)
        refused = InternalError()
    return error_response(refused, given_request_id(request.headers))


def _admit(request: web.Request) -> None:
    gateway = request.app[GATEWAY]
    if is_loopback(gateway.config.server.host):
        check_local(request)
    gateway.runtime.last_asked = gateway.runtime.clock()
    if request.path in _OPEN_PATHS:
        request[TENANT] = ""
        return
    request[TENANT] = gateway.tokens.tenant(request.headers.get("Authorization"))


def _as_request_error(error: web.HTTPException, request: web.Request) -> RequestError:
    """aiohttp's own refusals, in our terms."""
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        limit = request.app[GATEWAY].config.server.max_body_bytes
        return BodyTooLarge(f"body: larger than {limit} bytes", param="body")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(
            f"{request.method}: {request.path} takes {allowed}", allowed=allowed
        )
    return NotFound(f"no such path: {request.path}")
