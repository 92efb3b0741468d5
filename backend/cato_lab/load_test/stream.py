"""Reads one answer's bytes with as little parsing as possible."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

import orjson

_CHOICE = b'"choices":'
_NO_CHOICE = b'"choices":[]'
_DONE = b"data: [DONE]"
_REASON = re.compile(rb'"finish_reason":\s*"([^"]+)"')
_CUT = (b"abort", b"error")
"""Reasons of an engine that broke the answer off; its server sends [DONE] nevertheless."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The content of a whole stream. `error`: empty if it ended properly."""

    tokens: int
    cached_tokens: int | None = None
    error: str = ""


def has_token(data: bytes) -> bool:
    """Return whether these first bytes bring output, not just comments or usage."""
    compact = data.replace(b'": ', b'":')
    return compact.count(_CHOICE) > compact.count(_NO_CHOICE)


def read_end(data: bytes) -> Ended:
    """Return the end of a whole stream: its usage, or the error that it names."""
    error = _error(data)
    events = sum(b'"choices"' in line for line in data.split(b"\n"))
    usage = _usage(data)
    if usage is None:
        return Ended(events, error=error)
    details: dict[str, Any] = usage.get("prompt_tokens_details") or {}
    return Ended(usage.get("completion_tokens") or events, details.get("cached_tokens"), error)


def _error(data: bytes) -> str:
    at = data.find(b'"error"')
    if at >= 0 and (line := _object_at(data, at)) and line.get("error"):
        told: object = line["error"]
        error = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
        return str(error.get("code") or error.get("type") or "error")
    reasons = _REASON.findall(data)
    if _DONE not in data or not reasons:
        return "truncated"
    return next((reason.decode() for reason in reasons if reason in _CUT), "")


def _usage(data: bytes) -> dict[str, Any] | None:
    at = data.rfind(b'"usage"')
    while at >= 0:
        line = _object_at(data, at)
        if line is not None and isinstance(line.get("usage"), dict):
            found: dict[str, Any] = line["usage"]
            return found
        at = data.rfind(b'"usage"', 0, at)
    return None


def _object_at(data: bytes, at: int) -> dict[str, Any] | None:
    """Return the JSON object on the `data:` line around this position; None where there is none."""
    start = data.rfind(b"\n", 0, at) + 1
    end = data.find(b"\n", at)
    line = data[start : end if end >= 0 else len(data)].strip()
    if not line.startswith(b"data:"):
        return None
    try:
        value = orjson.loads(line[5:])
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
