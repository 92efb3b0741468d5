"""Calls in the form of the wire contract: prompts, bodies and headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cato_backend.wire import headers
from cato_backend.wire.editor_calls import WARM_PATH
from cato_backend.wire.headers import Task
from cato_backend.wire.tasks import TaskRequest
from cato_lsp.backend.models import Model
from cato_lsp.decisions.window import Window, prompt_window
from cato_lsp.text import Snapshot, with_lf

if TYPE_CHECKING:
    from cato_lsp.decisions.classify import Assignment
    from cato_lsp.decisions.pieces import Piece


@dataclass(frozen=True, slots=True)
class ClientIds:
    """Opaque ids of sessions and documents: the backend never learns a path."""

    session: str
    document: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the backend."""

    path: str
    request_id: str
    headers: dict[str, str]
    body: dict[str, Any]
    budget_s: float = 0.0
    """For a whole task, the rest of its E2E target when it is sent."""


def new_request_id() -> str:
    """Return a new request id."""
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """Options of a completion request."""

    budget_ms: int
    """The rest of its TTFT target when it is sent."""
    supersede: bool = False
    """Whether it takes the place of an older one of its document."""
    temperature: float = 0.0
    answers: int = 1
    confidence: bool = False
    """Whether the engine is to say how sure it is of each token."""


def window_for(model: Model, snapshot: Snapshot, offset: int) -> Window:
    """Return the part of the document that this model sees."""
    room, suffix_first = model.prompt_characters, model.suffix_first
    return prompt_window(snapshot, offset, room, suffix_first=suffix_first)


def has_prompt(model: Model, snapshot: Snapshot, offset: int) -> bool:
    """Return whether there is any text to complete: servers refuse an empty prompt."""
    seen = window_for(model, snapshot, offset)
    return bool(seen.prefix or (model.fills_in_the_middle and seen.suffix.strip()))


def completion_call(
    assignment: Assignment,
    window: Window,
    pieces: Sequence[Piece],
    model: Model,
    ids: ClientIds,
    options: RequestOptions,
) -> Call:
    """Return the call for a completion."""
    body: dict[str, Any] = {
        **prompt_body(window, pieces, model),
        "max_tokens": assignment.limits.max_tokens,
        "temperature": options.temperature,
        "stream": True,
    }
    if assignment.limits.stop:
        body["stop"] = list(assignment.limits.stop)
    if options.answers > 1:
        body["n"] = options.answers
    if options.confidence:
        body["logprobs"] = 0
    if model.cancels:
        body["stream_options"] = {"include_usage": True}
    request_id = new_request_id()
    named = _headers(assignment.task, ids, request_id)
    named[headers.DOCUMENT] = ids.document
    named[headers.SLO_TTFT_MS] = str(max(options.budget_ms, 1))
    if assignment.limits.expected_tokens is not None:
        named[headers.OUTPUT_TOKENS] = str(assignment.limits.expected_tokens)
    if options.answers > 1:
        named[headers.COMPARED] = "1"
    if options.supersede:
        named[headers.SUPERSEDE] = "1"
    return Call("/v1/completions", request_id, named, body)


def warm_call(window: Window, pieces: Sequence[Piece], model: Model, ids: ClientIds) -> Call:
    """Return a call that computes a prompt in advance."""
    request_id = new_request_id()
    named = _headers(Task.COMPLETION, ids, request_id)
    return Call(WARM_PATH, request_id, named, prompt_body(window, pieces, model))


def prompt_body(window: Window, pieces: Sequence[Piece], model: Model) -> dict[str, Any]:
    """Return what makes up the prompt.

    Other servers than CATO's take neither context nor, usually, a suffix.
    """
    body: dict[str, Any] = {"model": model.name, "prompt": with_lf(window.prefix)}
    if window.suffix and model.fills_in_the_middle:
        body["suffix"] = with_lf(window.suffix)
    if pieces and model.cancels:
        body["cato"] = {"context": [piece.body() for piece in pieces]}
    return body


def task_call(
    request: TaskRequest,
    ids: ClientIds,
    request_id: str,
    *,
    budget_ms: int,
    expected_tokens: int,
) -> Call:
    """Return the call for a whole task.

    `budget_ms` is what is left of its E2E target when it is sent; `expected_tokens` is the probable
    length of its result.

    It names no document: the next completion of its document would take its place.
    """
    named = _headers(request.task.slo_class, ids, request_id)
    named[headers.SLO_E2E_MS] = str(max(budget_ms, 1))
    named[headers.OUTPUT_TOKENS] = str(expected_tokens)
    return Call("/v1/tasks", request_id, named, request.body(), max(budget_ms, 0) / 1000)


def _headers(task: Task, ids: ClientIds, request_id: str) -> dict[str, str]:
    return {
        headers.TASK: task.value,
        headers.SESSION: ids.session,
        headers.REQUEST_ID: request_id,
    }
