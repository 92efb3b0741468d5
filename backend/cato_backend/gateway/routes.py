"""What the application serves: its routes, and the OpenAPI 3.1 document that is made of them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from cato_backend import __version__
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
from cato_backend.gateway.headers import IDENTIFIER, LONGEST_BUDGET_MS
from cato_backend.gateway.tasks import TaskBody
from cato_backend.wire import headers as names
from cato_backend.wire import sse
from cato_backend.wire.feedback import FEEDBACK_PATH
from cato_backend.wire.headers import Task
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
_REF = "#/components/schemas/{model}"
_ERROR = {"$ref": "#/components/schemas/Error"}
_IDENTIFIER = {"type": "string", "pattern": f"^{IDENTIFIER.pattern}$"}
_BUDGET = {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_BUDGET_MS}
_TOKENS = {"type": "integer", "minimum": 1, "maximum": names.MOST_OUTPUT_TOKENS}
_CALL_HEADERS: dict[str, tuple[dict[str, Any], str]] = {
    names.TASK: ({"type": "string", "enum": list(Task)}, "the class of the request"),
    names.SLO_TTFT_MS: (_BUDGET, "milliseconds from sending to the first token"),
    names.SLO_E2E_MS: (_BUDGET, "milliseconds from sending to the last token"),
    names.SLO_TPOT_MS: (_BUDGET, "milliseconds between two output tokens, in the mean"),
    names.OUTPUT_TOKENS: (_TOKENS, "the client's own estimate of the answer's length"),
    names.SESSION: (_IDENTIFIER, "one editor"),
    names.DOCUMENT: (_IDENTIFIER, "one document of it"),
    names.SUPERSEDE: (
        {"type": "string", "enum": ["0", "1"]},
        "1: replaces older requests of the same token, session and document",
    ),
    names.WORKFLOW: (_IDENTIFIER, "calls that share one budget"),
    names.REQUEST_ID: (_IDENTIFIER, "the name by which the request can be cancelled"),
}


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


def document(routes: Iterable[Route], *, needs_token: bool) -> dict[str, Any]:
    """Return the document as JSON. `needs_token`: whether the server has tokens at all."""
    routes = tuple(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, needs_token)
    return {
        "openapi": "3.1.0",
        "info": {"title": "CATO", "version": __version__},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    models = {route.body: None for route in routes if route.body is not None}
    _, schema = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    return {**schema.get("$defs", {}), "Error": _error_schema()}


def _error_schema() -> dict[str, Any]:
    """Of `RequestError.body`."""
    text, absent = {"type": "string"}, {"type": ["string", "null"]}
    fields = {"message": text, "type": text, "param": absent, "code": text}
    error = {"type": "object", "properties": fields, "required": list(fields)}
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}


def _operation(route: Route, path: str, needs_token: bool) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{route.handler.__name__}",
        "summary": (route.handler.__doc__ or "").partition("\n")[0],
        "parameters": list(_parameters(route, path)),
        "responses": _responses(route),
        "security": [{"bearer": []}] if needs_token and not route.is_open else [],
    }
    if route.body is not None:
        reference = {"$ref": _REF.format(model=route.body.__name__)}
        operation["requestBody"] = {
            "required": not route.is_body_optional,
            "content": {"application/json": {"schema": reference}},
        }
    return operation


def _parameters(route: Route, path: str) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", path):
        schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    for name, (schema, text) in _CALL_HEADERS.items() if route.is_call else ():
        yield {"name": name, "in": "header", "schema": schema, "description": text}


def _responses(route: Route) -> dict[str, Any]:
    responses = {str(kind.status): _refusal(kind) for kind in route.all_errors}
    for status, media in route.answers:
        content = {name: {"schema": _answer_schema(name)} for name in media}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return dict(sorted(responses.items()))


def _answer_schema(media: str) -> dict[str, str]:
    """Return the schema of an engine's answer, whose fields are not known here."""
    if media == sse.CONTENT_TYPE:
        return {}
    return {"type": "object" if media == "application/json" else "string"}


def _refusal(kind: type[RequestError]) -> dict[str, Any]:
    response: dict[str, Any] = {
        "description": (kind.__doc__ or "").partition("\n")[0],
        "content": {"application/json": {"schema": _ERROR}},
    }
    if kind is Overloaded:
        response["headers"] = {
            name: {"schema": {"type": "integer", "minimum": 0}}
            for name in ("Retry-After", names.RETRY_AFTER_MS)
        }
    return response
