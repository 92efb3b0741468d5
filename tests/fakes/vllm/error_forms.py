"""Errors within an answer of status 200, as different servers write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cato_lab.emulator import errors
from tests.fakes.vllm.script import ErrorForm

_TEXT = "EngineCore encountered an issue."


def error_body(form: ErrorForm, status: int) -> Mapping[str, Any]:
    """The JSON object that stands in the answer's place."""
    openai = errors.internal(status).body
    match form:
        case ErrorForm.BARE:
            return {"object": "error", **openai["error"]}
        case ErrorForm.TEXT:
            return {"error": _TEXT, "error_type": "generation"}
        case ErrorForm.DETAIL:
            return {"detail": _TEXT}
        case _:
            return openai


def error_event(form: ErrorForm, status: int) -> bytes:
    """The event in mid-stream; empty for a form that is none."""
    data = json.dumps(error_body(form, status))
    match form:
        case ErrorForm.NAMED:
            return f"event: error\ndata: {data}\n\n".encode()
        case ErrorForm.NAMED_TEXT:
            return f"event: error\ndata: {_TEXT}\n\n".encode()
        case ErrorForm.FIELD:
            return f"error: {data}\n\n".encode()
        case ErrorForm.NO_REASON:
            return b""
        case _:
            return f"data: {data}\n\n".encode()
