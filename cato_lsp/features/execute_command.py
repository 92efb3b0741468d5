"""`workspace/executeCommand`: for what a client cannot ask for by a request of its own."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from cattrs.errors import BaseValidationError
from lsprotocol import types

from cato_backend.wire.headers import Task
from cato_lsp.features import feedback
from cato_lsp.features.tasks import start_task
from cato_lsp.protocol import methods
from cato_lsp.protocol.methods import Token, UnitParams
from cato_lsp.tasks.jobs import Outcome, TaskResult

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer

log = logging.getLogger(__name__)

TASKS = {
    methods.COMMAND_SUMMARIZE: Task.SUMMARIZATION,
    methods.COMMAND_TRANSLATE: Task.TRANSLATION,
}


def start(
    server: CatoServer, message_id: Token, params: types.ExecuteCommandParams
) -> asyncio.Future[Any]:
    """Answers what the command results in; null where it is not ours."""
    requests = server.session.requests
    if params.command not in TASKS:
        return requests.start(message_id, _noted(server, params))
    unit = _unit_params(server, params)
    if unit is None:
        message = f"{params.command} needs a document, a position and, to translate, a language"
        return requests.start(message_id, _refused(message))
    task = TASKS[params.command]
    return start_task(server, message_id, task, unit, begins_progress=True)


def _unit_params(server: CatoServer, params: types.ExecuteCommandParams) -> UnitParams | None:
    names = ["uri", "position"]
    if params.command == methods.COMMAND_TRANSLATE:
        names.append("targetLanguage")
    given = dict(zip(names, params.arguments or (), strict=False))
    if len(given) < len(names):
        return None
    fields = {**given, "textDocument": {"uri": given.pop("uri")}}
    try:
        return server.converter.structure(fields, UnitParams)
    except BaseValidationError:
        return None


async def _noted(server: CatoServer, params: types.ExecuteCommandParams) -> None:
    if params.command != methods.COMMAND_ACCEPTED:
        log.warning("there is no command %s", params.command)
        return
    request_id = next(iter(params.arguments or ()), None)
    if isinstance(request_id, str):
        feedback.accepted(server.session, request_id)


async def _refused(message: str) -> dict[str, Any]:
    return TaskResult(Outcome.FAILED, message=message).body()
