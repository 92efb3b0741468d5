"""Asks a replica how it is and what it serves."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import aiohttp

from cato_backend.errors import EngineError
from cato_backend.replicas.replica import Replica

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_FIRST_TOKEN = aiohttp.ClientTimeout(total=30)
"""An engine may compile before its first token."""


async def is_healthy(session: aiohttp.ClientSession, url: str, api_key: str | None = None) -> bool:
    """Whether `GET /health` answers 200 within five seconds.

    A server without `/health` (404) counts as healthy when `/v1/models` answers.
    """
    status = await _status(session, f"{url}/health", api_key)
    if status == HTTPStatus.NOT_FOUND:
        status = await _status(session, f"{url}/v1/models", api_key)
    return status == HTTPStatus.OK


async def _status(session: aiohttp.ClientSession, url: str, api_key: str | None) -> int | None:
    try:
        async with session.get(url, headers=_headers(api_key), timeout=_TIMEOUT) as response:
            return response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


async def describe(
    session: aiohttp.ClientSession,
    replica_id: str,
    url: str,
    *,
    model: str = "",
    api_key: str | None = None,
) -> Replica:
    """The replica at `url`, asked through `/v1/models`; `model` chooses where it serves several.

    Raises EngineError when it cannot be asked, or does not serve `model`.
    """
    try:
        async with session.get(
            f"{url}/v1/models", headers=_headers(api_key), timeout=_TIMEOUT
        ) as response:
            if response.status != HTTPStatus.OK:
                raise EngineError(f"{url}/v1/models answered {response.status}")
            served: list[dict[str, Any]] = (await response.json())["data"]
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"{url}/v1/models cannot be read: {error!r}") from error
    return _chosen(served, replica_id, url, model, api_key)


def _chosen(
    served: list[dict[str, Any]], replica_id: str, url: str, model: str, api_key: str | None
) -> Replica:
    for entry in served:
        if model in ("", entry["id"]):
            length = entry.get("max_model_len")
            return Replica(
                id=replica_id,
                url=url,
                model=entry["id"],
                max_model_len=length if isinstance(length, int) else None,
                api_key=api_key,
            )
    names = ", ".join(str(entry.get("id")) for entry in served) or "nothing"
    raise EngineError(f"{url} serves {names}, not {model!r}")


async def token_ids(
    session: aiohttp.ClientSession, replica: Replica, texts: Iterable[str]
) -> dict[str, list[int]] | None:
    """The token ids of each text, without what a tokenizer adds by itself.

    None where the replica cannot tell (it has no `/tokenize`).
    """
    found: dict[str, list[int]] = {}
    for text in texts:
        body = {"model": replica.model, "prompt": text, "add_special_tokens": False}
        ids = await _tokenize(session, replica, body)
        if ids is None:
            return None
        found[text] = ids
    return found


async def has_chat_template(session: aiohttp.ClientSession, replica: Replica) -> bool:
    """Whether the replica can lay out a chat (asked through `/tokenize`)."""
    body = {"model": replica.model, "messages": [{"role": "user", "content": "?"}]}
    return await _tokenize(session, replica, body) is not None


async def speaks_vllm(session: aiohttp.ClientSession, replica: Replica) -> bool:
    """Whether it has `/version`, as vLLM does; then it takes vLLM's own body fields."""
    return await _status(session, f"{replica.url}/version", replica.api_key) == HTTPStatus.OK


async def takes_priority(session: aiohttp.ClientSession, replica: Replica) -> bool:
    """Whether it accepts the body field `priority`, found out by a completion of one token.

    vLLM refuses it unless it was started with `--scheduling-policy priority`.
    """
    body = {"model": replica.model, "prompt": "#", "max_tokens": 1, "priority": 1}
    # vLLM compiles for the first request that asks for them: now, not in front of a person.
    body["logprobs"] = 0
    try:
        async with session.post(
            f"{replica.url}/v1/completions",
            json=body,
            headers=_headers(replica.api_key),
            timeout=_FIRST_TOKEN,
        ) as response:
            return response.status == HTTPStatus.OK
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


async def _tokenize(
    session: aiohttp.ClientSession, replica: Replica, body: dict[str, Any]
) -> list[int] | None:
    headers = _headers(replica.api_key)
    try:
        async with session.post(
            f"{replica.url}/tokenize", json=body, headers=headers, timeout=_TIMEOUT
        ) as response:
            if response.status != HTTPStatus.OK:
                return None
            return [int(token) for token in (await response.json())["tokens"]]
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
        return None


def _headers(api_key: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {api_key}"} if api_key else {}
