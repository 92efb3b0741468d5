"""Checks of a server before the load: whether it answers, which model, and how it counts tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import aiohttp
import orjson

from cato_backend.errors import ConfigError, ReplicaUnavailable
from cato_backend.replicas import connect_errors
from cato_backend.replicas.probe import describe
from cato_backend.requests import Target
from cato_backend.wire.headers import Task
from cato_lab.load_test.client import Server
from cato_lab.load_test.text import PromptText
from cato_lab.workloads.arrival import BLOCK_TOKENS, Arrival

_BLOCKS = 16
_EXPECTED = "expected the root of an OpenAI-compatible server, such as http://localhost:8700"
_ADVICE = {
    401: "; give its token: --token",
    403: "; give its token: --token",
    404: "; does it serve that model (--model), and /v1/completions?",
}


async def with_model(session: aiohttp.ClientSession, server: Server) -> Server:
    """Return the server with a model to ask for: the first that it lists, where none was named.

    Raises ConfigError where it lists none.
    """
    if server.model:
        return server
    try:
        found = await describe(session, "", server.url, api_key=server.token or None)
    except ReplicaUnavailable as error:
        said = f"--url: {server.url}: {error.reason}"
        raise ConfigError(f"{said}; {_EXPECTED}, or name its model: --model") from error
    return replace(server, model=found.model)


async def words_per_block(session: aiohttp.ClientSession, server: Server, salt: str) -> float:
    """Ask once for a prompt of known words and read the engine's own count of its tokens.

    Raises ConfigError where no such answer comes.
    """
    prompt = PromptText(f"{salt} probe").prompt(_arrival())
    counted = await _prompt_tokens(session, server, prompt)
    if not counted:
        return BLOCK_TOKENS
    return _BLOCKS * BLOCK_TOKENS * BLOCK_TOKENS / counted


async def _prompt_tokens(session: aiohttp.ClientSession, server: Server, prompt: str) -> int:
    body = {"model": server.model, "prompt": prompt, "max_tokens": 1, "temperature": 0}
    headers = {"content-type": "application/json"}
    if server.token:
        headers["authorization"] = f"Bearer {server.token}"
    url = f"{server.url}/v1/completions"
    try:
        async with session.post(url, data=orjson.dumps(body), headers=headers) as response:
            data = await response.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        reason = connect_errors.of_exception(error).reason
        raise ConfigError(f"--url: {url} does not answer: {reason}") from error
    if response.status != 200:
        advice = _ADVICE.get(response.status, f"; {_EXPECTED}")
        raise ConfigError(f"--url: {url} answered {response.status}: {_shown(data)}{advice}")
    return _counted(url, data)


def _counted(url: str, data: bytes) -> int:
    try:
        answer: dict[str, Any] = orjson.loads(data)
        usage: dict[str, Any] = answer.get("usage") or {}
        return int(usage.get("prompt_tokens") or 0)
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"--url: {url} answered no completion: {_shown(data)}; {_EXPECTED}"
        ) from error


def _shown(data: bytes) -> str:
    return " ".join(data[:200].decode(errors="replace").split())


def _arrival() -> Arrival:
    tokens = _BLOCKS * BLOCK_TOKENS
    target = Target(e2e_s=10.0)
    return Arrival("probe", 0.0, Task.GENERATION, tokens, 1, 1, target, tuple(range(_BLOCKS)))
