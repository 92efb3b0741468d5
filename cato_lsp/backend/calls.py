"""Calls as the wire contract spells them: bodies and headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cato_backend.wire import headers
from cato_backend.wire.headers import Task
from cato_backend.wire.tasks import TaskRequest
from cato_lsp.backend.models import Model

if TYPE_CHECKING:
    from cato_lsp.classify import Assignment
    from cato_lsp.window import Window


@dataclass(frozen=True, slots=True)
class Sender:
    """Who asks, in opaque names: the backend never learns a path."""

    session: str
    document: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the backend."""

    path: str
    request_id: str
    headers: dict[str, str]
    body: dict[str, Any]


def new_request_id() -> str:
    """A name for a request that nobody else uses."""
    return uuid4().hex


def completion_call(
    assignment: Assignment,
    window: Window,
    model: Model,
    sender: Sender,
    *,
    budget_ms: int,
    supersede: bool,
) -> Call:
    """A completion. `budget_ms`: what is left of its TTFT target when it is sent."""
    body: dict[str, Any] = {
        "model": model.name,
        "prompt": window.prefix,
        "max_tokens": assignment.limits.max_tokens,
        "temperature": 0,
        "stream": True,
    }
    if window.suffix and model.fills_in_the_middle:
        body["suffix"] = window.suffix
    if assignment.limits.stop:
        body["stop"] = list(assignment.limits.stop)
    request_id = new_request_id()
    named = _headers(assignment.task, sender, request_id)
    named[headers.DOCUMENT] = sender.document
    named[headers.SLO_TTFT_MS] = str(max(budget_ms, 1))
    if supersede:
        named[headers.SUPERSEDE] = "1"
    return Call("/v1/completions", request_id, named, body)


def task_call(request: TaskRequest, sender: Sender, request_id: str, *, budget_ms: int) -> Call:
    """A whole task. `budget_ms`: what is left of its E2E target when it is sent.

    It names no document: the next completion of its document would take its place.
    """
    named = _headers(request.task, sender, request_id)
    named[headers.SLO_E2E_MS] = str(max(budget_ms, 1))
    return Call("/v1/tasks", request_id, named, request.body())


def _headers(task: Task, sender: Sender, request_id: str) -> dict[str, str]:
    return {
        headers.TASK: task.value,
        headers.SESSION: sender.session,
        headers.REQUEST_ID: request_id,
    }
