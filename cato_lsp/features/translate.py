"""`cato/translate`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cato_backend.wire.headers import Task
from cato_lsp.features.working import start_task
from cato_lsp.methods import Token, TranslateParams

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer


def start(server: CatoServer, message_id: Token, params: TranslateParams) -> asyncio.Future[Any]:
    """Answers the unit under the cursor in another language."""
    return start_task(server, message_id, Task.TRANSLATION, params)
