"""`POST /v1/messages`, its count of tokens, and `POST /v1/responses`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Generic

from aiohttp import web

from cato_backend.errors import RequestError
from cato_backend.gateway.agents import messages_chat, responses_chat
from cato_backend.gateway.agents.messages_answer import MessagesWriter
from cato_backend.gateway.agents.messages_body import CountTokensBody, MessagesBody
from cato_backend.gateway.agents.responses_answer import ResponsesWriter
from cato_backend.gateway.agents.responses_body import ResponsesBody
from cato_backend.gateway.agents.translation import AnswerWriter, TranslatedSinks
from cato_backend.gateway.calls import serve_draft
from cato_backend.gateway.classify import Shape
from cato_backend.gateway.drafts import Draft, chat_draft
from cato_backend.gateway.error_forms import form_of
from cato_backend.gateway.incoming import BodyT, parse_json, validated
from cato_backend.gateway.responses import error_response, json_response
from cato_backend.gateway.state import GATEWAY, Gateway, given_headers
from cato_backend.runtime.calls import ApiKind
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.render import prompt_text
from cato_backend.wire.headers import ALIAS, ALIASES, Task

ANTHROPIC_VERSION = "anthropic-version"
"""The header that every client of Anthropic's API sends."""


def served_name(name: str, catalog: Catalog, patterns: Mapping[str, str]) -> str:
    """Return what answers for a name: a model of that name, else by the first pattern that fits.

    A name that nothing fits stands for itself, and is refused as unknown later.
    """
    if name in ALIASES or name in catalog:
        return name
    fitting = (served for pattern, served in patterns.items() if fnmatchcase(name, pattern))
    return next(fitting, name)


def messages_models(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the entries of OpenAI's list as Anthropic's, in one page."""
    names = [entry["id"] for entry in entries]
    return {
        "data": [_entry(entry) for entry in entries],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    created = datetime.fromtimestamp(entry["created"], UTC)
    return {
        "type": "model",
        "id": entry["id"],
        "display_name": entry["id"],
        "created_at": created.isoformat().replace("+00:00", "Z"),
    }


@dataclass(frozen=True, slots=True)
class _Dialect(Generic[BodyT]):
    """One API: its body, the conversion to a chat, and the writer of the answer."""

    body: type[BodyT]
    chat_of: Callable[[BodyT], dict[str, Any]]
    writer_of: Callable[[BodyT], AnswerWriter]


_MESSAGES = _Dialect(MessagesBody, messages_chat.chat_of, lambda body: MessagesWriter(body.model))


_RESPONSES = _Dialect(ResponsesBody, responses_chat.chat_of, ResponsesWriter)


async def messages(request: web.Request) -> web.StreamResponse:
    """`POST /v1/messages`: Anthropic's Messages."""
    return await _serve(request, _MESSAGES)


async def responses(request: web.Request) -> web.StreamResponse:
    """`POST /v1/responses`: OpenAI's Responses; none of them is kept."""
    return await _serve(request, _RESPONSES)


async def count_tokens(request: web.Request) -> web.StreamResponse:
    """`POST /v1/messages/count_tokens`: an estimate, from what was learned of the model."""
    gateway = request.app[GATEWAY]
    catalog = gateway.runtime.catalog
    body = validated(CountTokensBody, parse_json(await gateway.bodies.read(request)))
    name = await catalog.resolve(_served(body.model, gateway), Task.AGENT, 0)
    text = prompt_text(ApiKind.CHAT, messages_chat.prompt_of(body))
    return json_response({"input_tokens": catalog.ratio(name).tokens(len(text))})


async def _serve(request: web.Request, dialect: _Dialect[BodyT]) -> web.StreamResponse:
    gateway = request.app[GATEWAY]
    arrival = gateway.runtime.clock()
    given = given_headers(request)
    try:
        value = parse_json(await gateway.bodies.read(request))
        body = validated(dialect.body, value)
        model = _served(str(value.get("model", ALIAS)), gateway)
        draft = _draft(dialect.chat_of(body) | {"model": model})
        sinks = TranslatedSinks(request, dialect.writer_of(body))
        return await serve_draft(request, given, draft, arrival, sinks)
    except RequestError as error:
        return error_response(error, given.request_id, form_of(request.path))


def _draft(chat: dict[str, Any]) -> Draft:
    """Return the draft of an agent's turn. Agents ask for more tokens than many models have."""
    return replace(
        chat_draft(chat),
        shape=Shape(Task.AGENT, has_tools="tools" in chat),
        names_max_tokens=False,
        caps_max_tokens=True,
    )


def _served(model: str, gateway: Gateway) -> str:
    return served_name(model, gateway.runtime.catalog, gateway.config.agents.models)
