"""`cato/summarize`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cato_backend.wire.headers import Task
from cato_lsp.features.working import start_task
from cato_lsp.methods import Token, UnitParams

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer


def start(server: CatoServer, message_id: Token, params: UnitParams) -> asyncio.Future[Any]:
    """Answers what the unit under the cursor does, in a few sentences."""
    return start_task(server, message_id, Task.SUMMARIZATION, params)
