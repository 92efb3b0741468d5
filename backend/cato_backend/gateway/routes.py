"""The routes: what the application serves, and what its OpenAPI document tells of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from cato_backend.errors import (
    BodyTooLarge,
    ExpectationFailed,
    Expired,
    Forbidden,
    InvalidRequest,
    NoReplica,
    NotFound,
    Overloaded,
    PoisonRequest,
    RequestCancelled,
    RequestError,
    RequestTimeout,
    ShuttingDown,
    Superseded,
    Unauthorized,
    UnsupportedEncoding,
    UpstreamFailed,
)
from cato_backend.gateway import calls, control, feedback, tasks, warm
from cato_backend.gateway.bodies import CancelBody, ChatBody, CompletionBody, WarmBody
from cato_backend.gateway.task_bodies import TaskBody
from cato_backend.wire import sse
from cato_backend.wire.feedback import FEEDBACK_PATH
from cato_backend.wire.warm import WARM_PATH

_JSON, _TEXT = "application/json", "text/plain"
_ANYWHERE = (
    InvalidRequest,
    Forbidden,
    RequestTimeout,
    BodyTooLarge,
    UnsupportedEncoding,
    ExpectationFailed,
    ShuttingDown,
)
_CALL = (
    NotFound,
    Superseded,
    PoisonRequest,
    Overloaded,
    RequestCancelled,
    UpstreamFailed,
    NoReplica,
    Expired,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. Its summary is the first line of its handler's docstring."""

    method: str
    path: str
    handler: Handler
    answers: tuple[tuple[int, tuple[str, ...]], ...] = ((200, (_JSON,)),)
    """Statuses other than errors, with their media types."""
    body: type[BaseModel] | None = None
    is_body_optional: bool = False
    is_call: bool = False
    """Whether the headers about task, budget and origin count."""
    is_open: bool = False
    """Whether it takes no token."""
    errors: tuple[type[RequestError], ...] = ()
    """Besides those of every route."""

    @property
    def all_errors(self) -> tuple[type[RequestError], ...]:
        """Every error that it may answer with."""
        return (*_ANYWHERE, *(() if self.is_open else (Unauthorized,)), *self.errors)


_STREAMED = ((200, (_JSON, sse.CONTENT_TYPE)),)

ROUTES = (
    Route(
        "POST", "/v1/completions", calls.completions, _STREAMED, CompletionBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", "/v1/chat/completions", calls.chat_completions, _STREAMED, ChatBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", "/v1/tasks", tasks.tasks, ((200, (sse.CONTENT_TYPE,)),), TaskBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", WARM_PATH, warm.warm, ((200, (_JSON,)), (202, (_JSON,))), WarmBody,
        is_call=True, errors=_CALL,
    ),
    Route(
        "POST", FEEDBACK_PATH, feedback.give, ((202, (_JSON,)),), feedback.FeedbackBody,
    ),
    Route("GET", FEEDBACK_PATH, feedback.export, ((200, ("application/x-ndjson",)),)),
    Route(
        "POST", "/v1/requests/{id}/cancel", control.cancel, body=CancelBody,
        is_body_optional=True, errors=(NotFound,),
    ),
    Route("GET", "/v1/models", control.models),
    Route("GET", "/v1/models/{name:.+}", control.model, errors=(NotFound, NoReplica)),
    Route(
        "GET", "/v1/replicas/{id}/profile", control.replica_profile, errors=(NotFound,),
    ),
    Route("GET", "/health", control.health, ((200, (_JSON,)), (503, (_JSON,))), is_open=True),
    Route("GET", "/metrics", control.metrics, ((200, (_TEXT,)),)),
    Route("GET", "/openapi.json", control.openapi, is_open=True),
)  # fmt: skip
OPEN_PATHS = frozenset(route.path for route in ROUTES if route.is_open)
