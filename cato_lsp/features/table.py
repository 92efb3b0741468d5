"""Which module answers what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lsprotocol import types

from cato_lsp.features import (
    configuration,
    documents,
    lifecycle,
    progress,
    status,
)
from cato_lsp.features.late import late
from cato_lsp.protocol import methods

Start = Callable[..., asyncio.Future[Any]]
"""(connection, message id, params) to the answer; what must be read at once is read in the call."""

REQUESTS: dict[str, Start] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: late("completions", "inline_completion"),
    types.TEXT_DOCUMENT_COMPLETION: late("completions", "completion"),
    types.TEXT_DOCUMENT_CODE_ACTION: late("code_actions", "start"),
    types.WORKSPACE_EXECUTE_COMMAND: late("execute_command", "start"),
    methods.SUMMARIZE: late("tasks", "summarize"),
    methods.TRANSLATE: late("tasks", "translate"),
    methods.STATUS: status.status,
    methods.RESTART_BACKEND: status.restart_backend,
}

NOTIFICATIONS: dict[str, Callable[..., None]] = {
    types.TEXT_DOCUMENT_DID_OPEN: documents.did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: documents.did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: documents.did_close,
    types.TEXT_DOCUMENT_DID_SAVE: documents.did_save,
    methods.DID_SHOW: documents.did_show,
    methods.DID_PARTIALLY_ACCEPT: documents.did_partially_accept,
    methods.DID_FOCUS: documents.did_focus,
    types.EXIT: lifecycle.leave,
}
"""In place of pygls' own, whose workspace would copy every text a second time."""

HOOKS: dict[str, Callable[..., Any]] = {
    types.INITIALIZE: lifecycle.initialize,
    types.INITIALIZED: lifecycle.initialized,
    types.SHUTDOWN: lifecycle.shutdown,
    types.WORKSPACE_DID_CHANGE_CONFIGURATION: configuration.did_change,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: lifecycle.folders_changed,
    types.WINDOW_WORK_DONE_PROGRESS_CANCEL: progress.cancel,
}
"""Called by pygls after its own handler of the method, if it has one."""
