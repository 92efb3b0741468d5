"""The routes of vLLM that generate nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson
from aiohttp import web

from cato_lab.emulator import errors
from cato_lab.emulator.calls import chat_text
from cato_lab.emulator.served import Served
from cato_lab.emulator.tokenizer import Tokenizer

MAX_BODY_BYTES = 64 * 1024 * 1024


class Surface:
    """Models, version, tokenizing. `served` is asked at each request."""

    def __init__(self, served: Callable[[], Served], tokenizer: Tokenizer) -> None:
        self._served, self._tokenizer = served, tokenizer

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Adds them."""
        router.add_get("/v1/models", self._models)
        router.add_get("/version", self._version)
        router.add_post("/tokenize", self._tokenize)
        router.add_post("/detokenize", self._detokenize)

    async def _models(self, request: web.Request) -> web.Response:
        served = self._served()
        model: dict[str, object] = {
            "id": served.model,
            "object": "model",
            "created": 1,
            "owned_by": "vllm",
            "root": served.model,
            "parent": None,
            "max_model_len": served.max_model_len,
            "permission": [],
        }
        return web.json_response({"object": "list", "data": [model]})

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"version": "0.32.0"})

    async def _tokenize(self, request: web.Request) -> web.Response:
        served = self._served()
        try:
            body = await read_json(request)
            text = body["prompt"] if "prompt" in body else chat_text(body, served)
        except errors.VllmError as error:
            return refusal(error)
        ids = self._tokenizer.encode(text)
        strings = [self._tokenizer.decode([token]) for token in ids]
        answer = {
            "count": len(ids),
            "max_model_len": served.max_model_len,
            "tokens": ids,
            "token_strs": strings if body.get("return_token_strs") else None,
        }
        return web.json_response(answer)

    async def _detokenize(self, request: web.Request) -> web.Response:
        try:
            body = await read_json(request)
        except errors.VllmError as error:
            return refusal(error)
        return web.json_response({"prompt": self._tokenizer.decode(body["tokens"])})


def refusal(error: errors.VllmError) -> web.Response:
    """The error as an answer."""
    return web.json_response(error.body, status=error.status)


async def read_json(request: web.Request) -> Mapping[str, Any]:
    """The body, which must be a JSON object. Raises VllmError."""
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise errors.malformed("0", "JSON decode error", "") from error
    if not isinstance(body, dict):
        raise errors.malformed("0", "Input should be a valid dictionary", body)
    return cast("dict[str, Any]", body)
