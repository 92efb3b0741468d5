"""The faults of an emulated vLLM: kinds of broken answers, and their content."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiohttp import web

from cato_lab.emulator import errors


class FaultKind(StrEnum):
    """Kinds of faults."""

    RESET = "reset"
    """The connection is reset before any response."""
    ERROR = "error"
    """An HTTP error before the stream."""
    HANG = "hang"
    """Nothing is answered, not even headers, and the connection stays open."""
    HTML = "html"
    """A page, as a proxy in front of the server may send, with the status that the fault names."""
    STREAM_ERROR = "stream_error"
    """An error within an answer of status 200, in one of its forms; a stream then has [DONE]."""
    DIE = "die"
    """The connection is reset after some tokens, as when the process is killed."""
    TRUNCATE = "truncate"
    """The stream ends after some tokens without a finish reason."""
    STALL = "stall"
    """No token comes after these, and the connection stays open."""
    MALFORMED = "malformed"
    """An event that is not JSON, instead of a token's."""


class ErrorForm(StrEnum):
    """Forms of an error in an answer that has begun."""

    OPENAI = "openai"
    """`{"error": {...}}`: vLLM since 0.11, SGLang."""
    BARE = "bare"
    """`{"object": "error", "message": ...}`: vLLM before 0.11, LMDeploy."""
    TEXT = "text"
    """`{"error": "..."}`: TGI, Ollama."""
    DETAIL = "detail"
    """`{"detail": "..."}`: FastAPI."""
    NAMED = "named"
    """`event: error` with an object of OpenAI's."""
    NAMED_TEXT = "named_text"
    """`event: error` with plain text."""
    FIELD = "field"
    """`error: {...}`, a field of the event: llama.cpp."""
    ABORT = "abort"
    """The finish reason `abort`: vLLM whose engine is stopped or put to sleep."""
    ERROR = "error"
    """The finish reason `error`."""
    NO_REASON = "no_reason"
    """Nothing; a stream has its [DONE] nevertheless."""

    @property
    def is_finish_reason(self) -> bool:
        """Whether it is reported by a chunk with this finish reason."""
        return self in (ErrorForm.ABORT, ErrorForm.ERROR)


_BEFORE_THE_ANSWER = (FaultKind.RESET, FaultKind.ERROR, FaultKind.HANG, FaultKind.HTML)
_PAGE = "<html><body><h1>Bad gateway</h1></body></html>"
_TEXT = "EngineCore encountered an issue."


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, after how many tokens it strikes, and how many requests it hits (None: each)."""

    kind: FaultKind
    after_tokens: int = 0
    status: int = 500
    times: int | None = None
    form: ErrorForm = ErrorForm.OPENAI
    retry_after: str = ""
    """The header of this name, of an HTTP error or a page."""

    @property
    def before_the_answer(self) -> bool:
        """Whether the request gets no answer of status 200 at all."""
        return self.kind in _BEFORE_THE_ANSWER

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Fault:
        """Return the fault with these fields, as they come in JSON.

        Raises KeyError, TypeError or ValueError.
        """
        given: dict[str, Any] = {**values, "kind": FaultKind(values["kind"])}
        given["form"] = ErrorForm(values.get("form", ErrorForm.OPENAI))
        return cls(**given)


async def refuse(fault: Fault, request: web.Request) -> web.Response:
    """Answers a request whose fault strikes before the answer."""
    if fault.kind is FaultKind.RESET and request.transport is not None:
        request.transport.abort()
    if fault.kind is FaultKind.HANG:
        await asyncio.get_running_loop().create_future()
    if fault.kind is FaultKind.HTML:
        response = web.Response(text=_PAGE, content_type="text/html", status=fault.status)
    else:
        response = web.json_response(errors.internal(fault.status).body, status=fault.status)
    if fault.retry_after:
        response.headers["Retry-After"] = fault.retry_after
    return response


async def fail_whole(fault: Fault, request: web.Request) -> web.Response:
    """Answers a request that is not streamed and whose fault has struck."""
    if fault.kind is FaultKind.STREAM_ERROR:
        return web.json_response(_error_body(fault.form, fault.status))
    if fault.kind is FaultKind.STALL:
        await asyncio.get_running_loop().create_future()
    if fault.kind is FaultKind.DIE and request.transport is not None:
        request.transport.abort()
    return web.json_response(errors.internal(fault.status).body, status=fault.status)


async def break_stream(fault: Fault, response: web.StreamResponse, request: web.Request) -> bool:
    """Do what the fault says in mid-stream. Returns whether the stream still has its [DONE]."""
    match fault.kind:
        case FaultKind.DIE if request.transport is not None:
            request.transport.abort()
        case FaultKind.STALL:
            await asyncio.get_running_loop().create_future()
        case FaultKind.MALFORMED:
            await response.write(b'data: {"id": "cmpl-\n\n')
            return True
        case FaultKind.STREAM_ERROR:
            await response.write(_error_event(fault.form, fault.status))
            return True
        case _:
            pass
    return False


def _error_body(form: ErrorForm, status: int) -> Mapping[str, Any]:
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


def _error_event(form: ErrorForm, status: int) -> bytes:
    data = json.dumps(_error_body(form, status))
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
