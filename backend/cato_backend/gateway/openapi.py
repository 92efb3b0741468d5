"""The OpenAPI 3.1 document, generated from the routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic.json_schema import models_json_schema

from cato_backend import __version__
from cato_backend.errors import Overloaded, RequestError
from cato_backend.gateway.error_forms import ANTHROPIC, OPENAI, ErrorForm, form_of
from cato_backend.gateway.headers import IDENTIFIER, LONGEST_BUDGET_MS
from cato_backend.gateway.routes import Route
from cato_backend.wire import headers as names
from cato_backend.wire import sse
from cato_backend.wire.headers import Task

_REF = "#/components/schemas/{model}"
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
    return {**schema.get("$defs", {}), **{form.name: form.schema for form in (OPENAI, ANTHROPIC)}}


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
    for name, pattern in route.query:
        schema = {"type": "string", "pattern": f"^{pattern}$"}
        yield {"name": name, "in": "query", "required": True, "schema": schema}
    for name, (schema, text) in _CALL_HEADERS.items() if route.is_call else ():
        yield {"name": name, "in": "header", "schema": schema, "description": text}


def _responses(route: Route) -> dict[str, Any]:
    form = form_of(route.path)
    responses = {str(form.status(kind)): _refusal(kind, form) for kind in route.all_errors}
    for status, media in route.answers:
        content = {name: {"schema": _answer_schema(name)} for name in media}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return dict(sorted(responses.items()))


def _answer_schema(media: str) -> dict[str, str]:
    """Return the schema of an engine's answer, whose fields are not known here."""
    if media == sse.CONTENT_TYPE:
        return {}
    return {"type": "object" if media == "application/json" else "string"}


def _refusal(kind: type[RequestError], form: ErrorForm) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=form.name)}
    response: dict[str, Any] = {
        "description": (kind.__doc__ or "").partition("\n")[0],
        "content": {"application/json": {"schema": schema}},
    }
    if kind is Overloaded:
        response["headers"] = {
            name: {"schema": {"type": "integer", "minimum": 0}}
            for name in ("Retry-After", names.RETRY_AFTER_MS)
        }
    return response
