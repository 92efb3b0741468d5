"""Parses a request's body into a `Call`, and refuses invalid ones with vLLM's messages."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from cato_lab.emulator import errors
from cato_lab.emulator.behaviour import Behaviour
from cato_lab.emulator.chats import chat_text
from cato_lab.emulator.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Call:
    """One generating request, as the engine sees it."""

    id: str
    chat: bool
    model: str
    prompts: tuple[list[int], ...]
    max_tokens: int
    n: int
    stop: tuple[str, ...]
    stop_token_ids: frozenset[int]
    ignore_eos: bool
    min_tokens: int
    stream: bool
    include_usage: bool
    continuous_usage: bool
    return_token_ids: bool
    logprobs: int | None
    echo: bool
    priority: int
    cache_salt: str
    temperature: float
    seed: int | None

    @property
    def prompt_tokens(self) -> int:
        """The length of all prompts together."""
        return sum(len(prompt) for prompt in self.prompts)


def parse_call(
    body: Mapping[str, Any],
    behaviour: Behaviour,
    tokenizer: Tokenizer,
    *,
    chat: bool,
    request_id: str,
) -> Call:
    """Return the call of this body. Raises VllmError."""
    if body.get("logprobs") is not None and not behaviour.takes_logprobs:
        raise errors.VllmError("logprobs are not supported", param="logprobs")
    names = (behaviour.model, *behaviour.aliases, *behaviour.adapters)
    if body.get("model", behaviour.model) not in names:
        raise errors.unknown_model(body["model"], behaviour.model)
    prompts = _chat_prompt(body, behaviour, tokenizer) if chat else _prompts(body, tokenizer)
    if body.get("suffix") is not None:
        message = "suffix is only supported for models with FIM completion rendering"
        raise errors.VllmError(message, param="suffix")
    priority = _integer(body, "priority", 0) or 0
    if priority and not behaviour.priority_scheduling:
        message = f"Got priority {priority} but Priority scheduling is not enabled."
        raise errors.VllmError(message, param=None)
    stream = bool(body.get("stream"))
    options = _options(body)
    if options and not stream:
        message = "Stream options can only be defined when `stream=True`."
        raise errors.VllmError(f"{message} (parameter=stream_options)", param="stream_options")
    include_usage = bool(options.get("include_usage"))
    return Call(
        id=f"{'chatcmpl' if chat else 'cmpl'}-{request_id or uuid.uuid4().hex}",
        chat=chat,
        model=behaviour.model,
        prompts=prompts,
        max_tokens=_max_tokens(body, prompts, behaviour, chat=chat),
        n=_integer(body, "n", 1, least=1) or 1,
        stop=_stop(body.get("stop")),
        stop_token_ids=_stop_token_ids(body),
        ignore_eos=bool(body.get("ignore_eos")),
        min_tokens=_integer(body, "min_tokens", 0) or 0,
        stream=stream,
        include_usage=include_usage,
        continuous_usage=include_usage and bool(options.get("continuous_usage_stats")),
        return_token_ids=bool(body.get("return_token_ids")),
        logprobs=_logprobs(body, chat=chat),
        echo=bool(body.get("echo")),
        priority=priority,
        cache_salt=_cache_salt(body),
        temperature=_temperature(body),
        seed=_integer(body, "seed", None),
    )


def _temperature(body: Mapping[str, Any]) -> float:
    """Return the temperature, 0 where none is given. Raises VllmError.

    vLLM's own default is 1. With 0 a call that names none gets the same answer each time.
    """
    value = body.get("temperature")
    if value is None:
        return 0.0
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise errors.malformed("temperature", "Input should be a valid number", value)
    return float(value)


def _cache_salt(body: Mapping[str, Any]) -> str:
    """Return the salt; empty where there is none. Raises VllmError."""
    salt = body.get("cache_salt")
    if salt is None:
        return ""
    if not isinstance(salt, str) or not salt:
        message = "Parameter 'cache_salt' must be a non-empty string if provided."
        raise errors.VllmError(message, param="cache_salt")
    return salt


def _chat_prompt(
    body: Mapping[str, Any], behaviour: Behaviour, tokenizer: Tokenizer
) -> tuple[list[int], ...]:
    return (tokenizer.encode(chat_text(body, behaviour)),)


def _prompts(body: Mapping[str, Any], tokenizer: Tokenizer) -> tuple[list[int], ...]:
    prompt = body.get("prompt")
    if prompt is None or prompt == "":
        message = "Either prompt or prompt_embeds must be provided and non-empty."
        raise errors.VllmError(f"{message} (parameter=prompt)", param="prompt")
    match prompt:
        case str():
            return (tokenizer.encode(prompt),)
        case [int(), *_]:
            return (list(prompt),)
        case [str(), *_]:
            return tuple(tokenizer.encode(text) for text in prompt)
        case [[int(), *_], *_]:
            return tuple(list(ids) for ids in prompt)
        case _:
            raise errors.malformed("prompt", "Input should be a valid string", prompt)


def _max_tokens(
    body: Mapping[str, Any], prompts: tuple[list[int], ...], behaviour: Behaviour, *, chat: bool
) -> int:
    asked = _integer(body, "max_tokens", None if chat else 16)
    if chat:
        asked = _integer(body, "max_completion_tokens", asked)
    longest, limit = max(len(prompt) for prompt in prompts), behaviour.max_model_len
    if longest >= limit:
        raise errors.too_long(longest, limit)
    if asked is not None and asked > limit:
        message = f"max_tokens={asked} cannot be greater than max_model_len={limit}."
        raise errors.invalid(f"{message} Please request fewer output tokens.", "max_tokens", asked)
    room = limit - longest
    allowed = room if asked is None else min(asked, room)
    if allowed < 1:
        message = f"max_tokens must be at least 1, got {allowed}."
        raise errors.invalid(message, "max_tokens", allowed)
    return allowed


def _integer(
    body: Mapping[str, Any], field: str, default: int | None, least: int | None = None
) -> int | None:
    value = body.get(field)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise errors.malformed(field, "Input should be a valid integer", value)
    if least is not None and value < least:
        raise errors.invalid(f"{field} must be at least {least}, got {value}.", field, value)
    return value


def _options(body: Mapping[str, Any]) -> Mapping[str, Any]:
    options = body.get("stream_options")
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise errors.malformed("stream_options", "Input should be a valid dictionary", options)
    return cast("dict[str, Any]", options)


def _stop_token_ids(body: Mapping[str, Any]) -> frozenset[int]:
    match body.get("stop_token_ids"):
        case None:
            return frozenset()
        case [*ids] if all(isinstance(each, int) for each in ids):
            return frozenset(ids)
        case value:
            raise errors.malformed("stop_token_ids", "Input should be a valid list", value)


def _stop(value: Any) -> tuple[str, ...]:
    match value:
        case None:
            return ()
        case str():
            return (value,)
        case [*strings] if all(isinstance(each, str) for each in strings):
            return tuple(strings)
        case _:
            raise errors.malformed("stop", "Input should be a valid string", value)


def _logprobs(body: Mapping[str, Any], *, chat: bool) -> int | None:
    if not chat:
        return _integer(body, "logprobs", None, least=0)
    return _integer(body, "top_logprobs", 0) if body.get("logprobs") else None
