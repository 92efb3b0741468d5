"""Answers that come in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from cato_backend.runtime.answer import Relayed
from cato_backend.runtime.chunks import AttemptBroken, believed_tokens, cached_tokens
from cato_backend.runtime.in_band_errors import check_choice, error_in, is_error


def whole_answer(data: bytes, content_type: str) -> Relayed:
    """Return the answer with its token counts. Raises AttemptBroken where it is none or was cut."""
    try:
        value: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise AttemptBroken(f"its answer is no JSON ({content_type})") from error
    try:
        return _checked(value, data)
    except (AttributeError, TypeError, ValueError) as error:
        raise AttemptBroken("its answer is no OpenAI object") from error


def _checked(value: Mapping[str, Any], data: bytes) -> Relayed:
    choices: object = value.get("choices")
    if value.get("error") or not choices:
        if is_error(value):
            raise error_in(value)
        raise AttemptBroken("its answer has no choices")
    if not isinstance(choices, list):
        raise AttemptBroken("its choices are no list")
    for choice in cast("list[Mapping[str, Any]]", choices):
        check_choice(choice)
    usage: Mapping[str, Any] = value.get("usage") or {}
    tokens = int(usage.get("completion_tokens") or 0)
    prompt_tokens = believed_tokens(usage.get("prompt_tokens"))
    return Relayed(data, tokens, prompt_tokens, cached_tokens(usage), shows=True)
