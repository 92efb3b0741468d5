"""The state of the connection to the backend."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cato_lsp.backend.models import Model

if TYPE_CHECKING:
    from cato_lsp.backend.client import BackendClient


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
    """State of the connection to the backend."""

    state: State
    message: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """A backend that answers."""

    client: BackendClient
    model: Model
    round_trip_ms: float
