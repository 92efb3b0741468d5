"""Features that are imported after the client was answered: they bring syntax and the model's side.

Their import takes a good part of what `initialize` may take in all.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cato_lsp.protocol.methods import Token

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection

LATE = ("completions", "execute_command", "tasks", "code_actions")


def late(module: str, name: str) -> Callable[[ClientConnection, Token, Any], asyncio.Future[Any]]:
    """The function `name` of a feature's module, which is imported at the latest when it is
    called."""

    def start(connection: ClientConnection, message_id: Token, params: Any) -> asyncio.Future[Any]:
        function = getattr(_module(module), name)
        answer: asyncio.Future[Any] = function(connection, message_id, params)
        return answer

    return start


def load() -> None:
    """Imports all of them; meant for a thread."""
    for module in LATE:
        _module(module)
    # As in `__main__`: what was imported is there to stay.
    gc.freeze()


def _module(name: str) -> Any:
    return import_module(f"cato_lsp.features.{name}")
