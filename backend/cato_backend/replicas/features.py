"""Finds out what a replica and its model can do beyond OpenAI's interface."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import aiohttp
import orjson

from cato_backend.replicas.probe import ServerAnswer, ask, explained
from cato_backend.replicas.replica import Replica

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_FIRST_TOKEN = aiohttp.ClientTimeout(total=30)
"""An engine may compile before its first token."""
_MOST_BYTES = 1 << 20


async def token_ids(
    session: aiohttp.ClientSession, replica: Replica, texts: Iterable[str]
) -> dict[str, list[int]] | None:
    """Return the token ids of each text, without what a tokenizer adds by itself.

    None where the replica cannot tell (it has no `/tokenize`). Raises ReplicaUnavailable.
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
    """Return whether the replica can lay out a chat (asked through `/tokenize`).

    Raises ReplicaUnavailable.
    """
    body = {"model": replica.model, "messages": [{"role": "user", "content": "?"}]}
    return await _tokenize(session, replica, body) is not None


async def takes_system_message(session: aiohttp.ClientSession, replica: Replica) -> bool:
    """Return whether a chat may begin with a system message (asked through `/tokenize`).

    Chat templates such as Gemma's raise for one. Raises ReplicaUnavailable.
    """
    messages = [{"role": "system", "content": "!"}, {"role": "user", "content": "?"}]
    body = {"model": replica.model, "messages": messages}
    return await _tokenize(session, replica, body) is not None


async def speaks_vllm(session: aiohttp.ClientSession, replica: Replica) -> bool:
    """Return whether it has `/version`, as vLLM does; then it takes vLLM's own body fields.

    Raises ReplicaUnavailable.
    """
    answer = await _optional(session, replica, "GET", "/version", _TIMEOUT)
    return answer is not None


async def takes_priority(session: aiohttp.ClientSession, replica: Replica) -> bool:
    """Return whether it accepts the body field `priority`, found out by a completion of one token.

    vLLM refuses it unless it was started with `--scheduling-policy priority`. Raises
    ReplicaUnavailable.
    """
    body = {"model": replica.model, "prompt": "#", "max_tokens": 1, "priority": 1}
    # vLLM compiles for the first request that asks for them: now, not in front of a person.
    body["logprobs"] = 0
    answer = await _optional(session, replica, "POST", "/v1/completions", _FIRST_TOKEN, body)
    return answer is not None


async def _tokenize(
    session: aiohttp.ClientSession, replica: Replica, body: dict[str, Any]
) -> list[int] | None:
    answer = await _optional(session, replica, "POST", "/tokenize", _TIMEOUT, body)
    if answer is None:
        return None
    try:
        return [int(token) for token in orjson.loads(answer.body)["tokens"]]
    except (ValueError, KeyError, TypeError):
        return None


async def _optional(
    session: aiohttp.ClientSession,
    replica: Replica,
    method: str,
    path: str,
    timeout: aiohttp.ClientTimeout,
    body: dict[str, Any] | None = None,
) -> ServerAnswer | None:
    """Send a request that a server need not support; None where the status is not 200.

    Raises ReplicaUnavailable where the connection fails, which tells nothing about the feature.
    """
    url = replica.url + path
    try:
        answer = await ask(session, method, url, replica.api_key, timeout, body)
    except TimeoutError:
        return None
    except (aiohttp.ClientError, OSError) as error:
        raise await explained(error, url) from error
    return answer if answer.status == HTTPStatus.OK else None


def ends_turns(root: str) -> bool | None:
    """Return whether answers end with the token that ends a turn of the chat template.

    It is for models that were trained on chats; base models carry the template alone. None where
    `root` is no folder here, or its files do not tell.
    """
    folder = Path(root)
    if not root or not folder.is_absolute():
        return None
    config = _read(folder / "tokenizer_config.json")
    template = _template(folder, config)
    end = _text(config.get("eos_token"))
    if not template or not end:
        return None
    return end in template or "eos_token" in template


def _template(folder: Path, config: dict[str, Any]) -> str:
    """In a file of its own, as transformers writes it now, or in the configuration, as before."""
    try:
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")[:_MOST_BYTES]
    except (OSError, UnicodeDecodeError):
        template = config.get("chat_template")
        return json.dumps(template) if template else ""


def _read(file: Path) -> dict[str, Any]:
    try:
        value: Any = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(token: object) -> str:
    """Return a token, which older tokenizers describe by an object."""
    if isinstance(token, dict):
        token = cast("dict[str, object]", token).get("content")
    return token if isinstance(token, str) else ""
