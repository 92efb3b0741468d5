"""Which function answers which method and command; some are imported when they are first needed.

Syntax and the model's side come with those: their import would take a good part of the time that
`initialize` may take in all.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_lsp.features import lifecycle, notifications, status
from cato_lsp.protocol import methods
from cato_lsp.protocol.methods import Token

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection

log = logging.getLogger(__name__)

Start = Callable[..., asyncio.Future[Any]]
"""(connection, message id, params) to the answer; what must be read at once is read in the call."""

LATE = ("completions", "tasks", "code_actions", "code_lenses")
"""Modules of features that are imported after the client was answered."""


def load_features() -> None:
    """Import the late modules. Meant for a thread."""
    for module in LATE:
        _module(module)
    # As in `__main__`: what was imported is there to stay.
    gc.freeze()


def late(module: str, name: str) -> Start:
    """Return a function that calls `name` of a late module, which it imports if need be."""

    def start(connection: ClientConnection, message_id: Token, params: Any) -> asyncio.Future[Any]:
        function = getattr(_module(module), name)
        answer: asyncio.Future[Any] = function(connection, message_id, params)
        return answer

    return start


def _module(name: str) -> Any:
    return import_module(f"cato_lsp.features.{name}")


def execute_command(
    connection: ClientConnection, message_id: Token, params: types.ExecuteCommandParams
) -> asyncio.Future[Any]:
    """Run one of the COMMANDS and answer its result; answer null if the command is unknown."""
    start = COMMANDS.get(params.command)
    if start is None:
        log.warning("there is no command %s", params.command)
        return connection.session.requests.start(message_id, _nothing())
    return start(connection, message_id, params)


async def _nothing() -> None:
    """Answer null."""


REQUESTS: dict[str, Start] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: late("completions", "inline_completion"),
    types.TEXT_DOCUMENT_COMPLETION: late("completions", "completion"),
    types.TEXT_DOCUMENT_CODE_ACTION: late("code_actions", "start"),
    types.TEXT_DOCUMENT_CODE_LENS: late("code_lenses", "start"),
    types.WORKSPACE_EXECUTE_COMMAND: execute_command,
    methods.SUMMARIZE: late("tasks", "summarize"),
    methods.TRANSLATE: late("tasks", "translate"),
    methods.STATUS: status.status,
    methods.RESTART_BACKEND: status.restart_backend,
}

COMMANDS: dict[str, Start] = {
    methods.COMMAND_ACCEPTED: late("completions", "accepted"),
    **dict.fromkeys(methods.TASK_COMMANDS, late("tasks", "command")),
}

NOTIFICATIONS: dict[str, Callable[..., None]] = {
    types.TEXT_DOCUMENT_DID_OPEN: notifications.did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: notifications.did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: notifications.did_close,
    types.TEXT_DOCUMENT_DID_SAVE: notifications.did_save,
    methods.DID_SHOW: notifications.did_show,
    methods.DID_PARTIALLY_ACCEPT: notifications.did_partially_accept,
    methods.DID_FOCUS: notifications.did_focus,
    types.EXIT: lifecycle.leave,
}
"""In place of pygls' own, whose workspace would copy every text a second time."""

HOOKS: dict[str, Callable[..., Any]] = {
    types.INITIALIZE: lifecycle.initialize,
    types.INITIALIZED: lifecycle.initialized,
    types.SHUTDOWN: lifecycle.shutdown,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: lifecycle.configuration_changed,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: lifecycle.folders_changed,
    types.WINDOW_WORK_DONE_PROGRESS_CANCEL: notifications.cancel_progress,
}
"""Called by pygls after its own handler of the method, if it has one."""
