"""Reads the chunks of a replica, and rejects invalid ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard, cast

import orjson

_LONGEST_PROMPT = 10_000_000
"""Tokens; beyond every context there is."""


class AttemptBroken(Exception):
    """The replica failed this attempt; another may take it. The text is for the log."""


def parse(data: str) -> dict[str, Any]:
    """Return the chunk in an event's data. Raises AttemptBroken."""
    try:
        chunk = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise AttemptBroken(f"an event is not JSON: {error}") from error
    if not _is_chunk(chunk):
        raise AttemptBroken("an event is not a chunk of OpenAI's")
    return chunk


def _is_chunk(value: Any) -> TypeGuard[dict[str, Any]]:
    if not isinstance(value, dict):
        return False
    # A cast would be a call for each token.
    chunk: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
    choices, usage = chunk.get("choices"), chunk.get("usage")
    if (choices and not isinstance(choices, list)) or (usage and not isinstance(usage, dict)):
        return False
    listed: list[Any] = choices or []  # pyright: ignore[reportUnknownVariableType]
    for choice in listed:  # noqa: SIM110 - a generator costs more than it
        if not isinstance(choice, dict):
            return False
    return True


def believed_tokens(counted: object) -> int | None:
    """Return a count of prompt tokens, unless it cannot be.

    A lie would mislead ledger and limits.
    """
    possible = isinstance(counted, int) and 0 < counted <= _LONGEST_PROMPT
    return counted if isinstance(counted, int) and possible else None


def cached_tokens(usage: Mapping[str, Any]) -> int | None:
    """Return how many of the prompt's tokens the engine found in its cache.

    None where it does not say.
    """
    details = usage.get("prompt_tokens_details")
    if not isinstance(details, dict):
        return None
    cached = cast("dict[str, object]", details).get("cached_tokens")
    return cached if isinstance(cached, int) and cached >= 0 else None


def text_of(choice: Mapping[str, Any]) -> str:
    """Return the text that a chunk's choice adds, of a completion or of a chat."""
    delta = choice.get("delta")
    text = cast("dict[str, Any]", delta).get("content") if isinstance(delta, dict) else None
    text = text or choice.get("text")
    return text if isinstance(text, str) else ""


def has_other_delta(choice: Mapping[str, Any]) -> bool:
    """Return whether a chat's choice adds something beside text.

    Reasoning, tool calls, a refusal ...
    """
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return False
    fields = cast("dict[str, object]", delta)
    return any(value for name, value in fields.items() if name != "role")


def strip_all(chunk: dict[str, Any], choices: list[dict[str, Any]]) -> bool:
    """Empty what vLLM adds for `return_token_ids`, as it would have sent it unasked.

    Whether anything was there.
    """
    changed = False
    for part in (chunk, *choices):
        if part.get("token_ids") is not None:
            part["token_ids"], changed = None, True
        if part.get("prompt_token_ids") is not None:
            part["prompt_token_ids"], changed = None, True
    return changed


def shift(choice: dict[str, Any], characters: int) -> None:
    """Shift the offsets of log probabilities by the number of characters that were sent before."""
    logprobs: dict[str, Any] = choice.get("logprobs") or {}
    if logprobs.get("text_offset"):
        logprobs["text_offset"] = [offset + characters for offset in logprobs["text_offset"]]


def as_chat(chunk: dict[str, Any]) -> None:
    """Make a completion's chunk one of a chat."""
    chunk["object"] = "chat.completion.chunk"
    for choice in chunk.get("choices") or ():
        choice["delta"] = {"content": choice.pop("text", "")}
