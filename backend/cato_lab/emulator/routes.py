"""The routes of vLLM that generate nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson
from aiohttp import web

from cato_lab.emulator import errors
from cato_lab.emulator.behaviour import Behaviour
from cato_lab.emulator.chats import chat_text
from cato_lab.emulator.engine import EmulatedEngine
from cato_lab.emulator.metrics import CONTENT_TYPE

MAX_BODY_BYTES = 64 * 1024 * 1024


class InformationRoutes:
    """Models, version, health, metrics, load and tokenizing."""

    def __init__(self, engine: EmulatedEngine) -> None:
        self._engine = engine

    def add_to(self, router: web.UrlDispatcher) -> None:
        """Add them."""
        router.add_get("/v1/models", self._models)
        router.add_get("/version", self._version)
        router.add_get("/health", self._health)
        router.add_get("/ping", self._health)
        router.add_get("/load", self._load)
        router.add_get("/metrics", self.metrics)
        router.add_post("/tokenize", self._tokenize)
        router.add_post("/detokenize", self._detokenize)

    async def metrics(self, request: web.Request) -> web.Response:
        """Answers with the metrics page."""
        page = self._engine.metrics.exposition(self._engine.behaviour.metric_values)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})

    async def _models(self, request: web.Request) -> web.Response:
        behaviour = self._engine.behaviour
        if (listing := self._engine.take_listing()) is not None:
            return web.Response(text=listing, content_type="application/json")
        names = [(name, None) for name in (behaviour.model, *behaviour.aliases)]
        adapters = [(name, behaviour.model) for name in behaviour.adapters]
        data = [_card(name, parent, behaviour) for name, parent in (*names, *adapters)]
        return web.json_response({"object": "list", "data": data})

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": "0.32.0"})

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self._engine.behaviour.healthy else 503)

    async def _load(self, request: web.Request) -> web.Response:
        return web.json_response({"server_load": self._engine.calls})

    async def _tokenize(self, request: web.Request) -> web.Response:
        behaviour, tokenizer = self._engine.behaviour, self._engine.tokenizer
        try:
            body = await read_json(request)
            text = body["prompt"] if "prompt" in body else chat_text(body, behaviour)
        except errors.VllmError as error:
            return refusal(error)
        ids = tokenizer.encode(text)
        strings = [tokenizer.decode([token]) for token in ids]
        answer = {
            "count": len(ids),
            "max_model_len": behaviour.max_model_len,
            "tokens": ids,
            "token_strs": strings if body.get("return_token_strs") else None,
        }
        return web.json_response(answer)

    async def _detokenize(self, request: web.Request) -> web.Response:
        try:
            body = await read_json(request)
        except errors.VllmError as error:
            return refusal(error)
        return web.json_response({"prompt": self._engine.tokenizer.decode(body["tokens"])})


def refusal(error: errors.VllmError) -> web.Response:
    """Return the error as an answer."""
    return web.json_response(error.body, status=error.status)


async def read_json(request: web.Request) -> Mapping[str, Any]:
    """Return the body, which must be a JSON object. Raises VllmError."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise errors.malformed("0", "JSON decode error", "") from error
    if not isinstance(body, dict):
        raise errors.malformed("0", "Input should be a valid dictionary", body)
    return cast("dict[str, Any]", body)


def _card(name: str, parent: str | None, behaviour: Behaviour) -> dict[str, object]:
    """Return an entry of `/v1/models`; vLLM names no context length for an adapter."""
    return {
        "id": name,
        "object": "model",
        "created": 1,
        "owned_by": "vllm",
        "root": behaviour.model if parent is None else f"/adapters/{name}",
        "parent": parent,
        "max_model_len": behaviour.max_model_len if parent is None else None,
        "permission": [],
    }
