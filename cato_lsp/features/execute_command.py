"""`workspace/executeCommand`: for what a client cannot ask for by a request of its own."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_lsp.features import tasks
from cato_lsp.protocol import methods
from cato_lsp.protocol.methods import Token

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection

log = logging.getLogger(__name__)


def start(
    connection: ClientConnection, message_id: Token, params: types.ExecuteCommandParams
) -> asyncio.Future[Any]:
    """Answers what the command results in; null where it is not ours."""
    requests = connection.session.requests
    if params.command in methods.TASK_COMMANDS:
        return tasks.command(connection, message_id, params)
    return requests.start(message_id, _noted(connection, params))


async def _noted(connection: ClientConnection, params: types.ExecuteCommandParams) -> None:
    if params.command != methods.COMMAND_ACCEPTED:
        log.warning("there is no command %s", params.command)
        return
    request_id = next(iter(params.arguments or ()), None)
    if isinstance(request_id, str):
        log.info("accepted: %s", request_id)
        connection.completions.accepted(request_id)
