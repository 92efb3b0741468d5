"""Calls from the gateway to the runtime, and the interface for their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, cast

from cato_backend.requests import Request, value
from cato_backend.tasks.infill import ContextFile, RenderedPrompt
from cato_backend.wire.headers import Task


class ApiKind(StrEnum):
    """OpenAI's two calls of models. The value is the path."""

    COMPLETION = "/v1/completions"
    CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Infill:
    """A prompt that the gateway renders in the model's own fill-in-the-middle form."""

    prefix: str
    suffix: str
    context: tuple[ContextFile, ...] = ()


@dataclass(frozen=True, slots=True)
class RenderedInfill:
    """An infill as the model reads it, cut to `limit` tokens; None: not cut."""

    prompt: RenderedPrompt
    limit: int | None


@value
class Call:
    """One call of a model: the scheduler's request, and the body for the replica."""

    request: Request
    kind: ApiKind
    body: Mapping[str, Any]
    """The client's body without what only the gateway understands (`suffix`, `cato`)."""
    infill: Infill | None = None
    rendered: RenderedInfill | None = None
    """Of `infill`: what the prefix index knows is what a replica is sent, unless that replica has
    another context or finds the prompt too long."""
    reserved_tokens: int = 0
    """Room to keep for output when a long prompt is cut, where it is more than `max_tokens`."""

    by_alias: bool = False
    """Whether it asked for the alias: it follows where that leads while it waits."""
    least_context: int = 0
    """Tokens of context without which it cannot be served at all: a prompt that may be cut, and
    output that is not named, ask for more in `request.context_tokens`."""
    caps_max_tokens: bool = False
    """Whether a limit beyond a replica's context is cut to it, and not refused there."""
    group: str = ""
    """The request id of the whole task that this is one call of; its name ends all of them."""
    compared: bool = False
    """Whether its answers are only compared with another one, and no client waits for them."""
    cache_salt: str = ""
    """Sent to replicas that keep prefix caches apart by it."""
    client_id: str = ""
    """The request id as the client knows it, where the scheduler knows another."""
    token_id: str = ""
    """Id of the request's token, where it is one of the store."""
    trace_context: tuple[tuple[str, str], ...] = ()
    """The headers of the client's W3C trace context."""

    @property
    def name(self) -> str:
        """The request id as the client knows it."""
        return self.client_id or self.request.id

    @property
    def streams(self) -> bool:
        """Whether the client asked for server-sent events."""
        return bool(self.body.get("stream"))

    @property
    def choices(self) -> int:
        """How many sequences answer it: `n` for each prompt of a batch."""
        answers = int(self.body.get("n") or 1)
        prompt = self.body.get("prompt")
        if isinstance(prompt, list) and self.kind is ApiKind.COMPLETION:
            items = cast("list[object]", prompt)
            return answers if isinstance(items[0], int) else answers * len(items)
        return answers


@value
class Started:
    """The values for the response headers, known when the first bytes leave."""

    request_id: str
    task: Task
    replica_id: str
    queue_s: float
    predicted_s: float | None
    load: float


class Sink(Protocol):
    """Receives an answer. `begin` is called once, before the first `write`."""

    async def begin(self, started: Started) -> None:
        """Record that the first token is there."""
        ...

    async def write(self, data: bytes) -> None:
        """Server-sent events as they came, or, of a call that does not stream, the whole JSON."""
        ...

    def write_now(self, data: bytes) -> bool:
        """Write events where that takes no waiting; False where nothing was written."""
        return False
