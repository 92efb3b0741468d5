"""Which module answers what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from lsprotocol import types

from cato_lsp.features import (
    configuration,
    feedback,
    lifecycle,
    progress,
    restart_backend,
    status,
    synchronization,
)
from cato_lsp.features.late import late
from cato_lsp.protocol import methods

Start = Callable[..., asyncio.Future[Any]]
"""(server, message id, params) to the answer; what must be read at once is read in the call."""

REQUESTS: dict[str, Start] = {
    types.TEXT_DOCUMENT_INLINE_COMPLETION: late("inline_completion"),
    types.TEXT_DOCUMENT_COMPLETION: late("completion"),
    types.TEXT_DOCUMENT_CODE_ACTION: late("code_actions"),
    types.WORKSPACE_EXECUTE_COMMAND: late("execute_command"),
    methods.SUMMARIZE: late("tasks", "summarize"),
    methods.TRANSLATE: late("tasks", "translate"),
    methods.STATUS: status.start,
    methods.RESTART_BACKEND: restart_backend.start,
}

NOTIFICATIONS: dict[str, Callable[..., None]] = {
    types.TEXT_DOCUMENT_DID_OPEN: synchronization.did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: synchronization.did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: synchronization.did_close,
    types.TEXT_DOCUMENT_DID_SAVE: synchronization.did_save,
    methods.DID_SHOW: feedback.did_show,
    methods.DID_PARTIALLY_ACCEPT: feedback.did_partially_accept,
    methods.DID_FOCUS: feedback.did_focus,
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
