"""How things stand with the backend, and what the person is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """The one word for it."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    DISABLED = "disabled"
    UNAUTHORIZED = "unauthorized"


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """How things stand with the backend."""

    state: State
    message: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """`cato/status`, as a value."""

    state: State
    message: str
    backend_url: str | None
    latency_ms: float | None
    """The median of the last answers; None while no backend answers, as the load is."""
    load: float | None
    log_path: str | None
    acceptance: float | None = None
    """Of what this session showed, the share that was accepted, in whole or in part."""
    tokens_saved: int | None = None
    """Prompt tokens that this session did not have to ask for."""
    accepted_characters: int = 0
    """Characters that this session's suggestions spared the person."""
    model: str | None = None
    """Which one answers."""
    model_parameters: int | None = None
    """How large it is, where that is known."""
    model_advice: str = ""
    """How to get a better one."""

    def body(self) -> dict[str, Any]:
        """Return the status as the protocol spells it."""
        return {
            "state": self.state.value,
            "message": self.message,
            "backendUrl": self.backend_url,
            "latencyMs": self.latency_ms,
            "load": self.load,
            "logPath": self.log_path,
            "acceptance": self.acceptance,
            "tokensSaved": self.tokens_saved,
            "acceptedCharacters": self.accepted_characters,
            "model": self.model,
            "modelParameters": self.model_parameters,
            "modelAdvice": self.model_advice,
        }

    def told_apart_by(self) -> tuple[object, ...]:
        """Return what makes a status worth a notification; the figures change with every answer."""
        return (self.state, self.message, self.backend_url, self.log_path, self.model)
