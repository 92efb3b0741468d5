"""One connection's language server, and which function answers which method and command.

Some features are imported when they are first needed: syntax and the model's side come with those,
and their import would take a good part of the time that `initialize` may take in all.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol.json_rpc import RPCMessage

from cato_lsp import __version__, logs
from cato_lsp.features import lifecycle, notifications
from cato_lsp.features.lifecycle import InlineRegistration, LensRefresh
from cato_lsp.protocol import methods
from cato_lsp.protocol.clients import knows
from cato_lsp.protocol.json_rpc import CatoProtocol, RequestHandler
from cato_lsp.protocol.methods import Token
from cato_lsp.session.session import Session
from cato_lsp.session.status import Status

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.suggestions.service import CompletionService

log = logging.getLogger(__name__)

LIFECYCLE = frozenset({types.INITIALIZE, types.INITIALIZED, types.SHUTDOWN, types.EXIT, None})
"""Methods after which nothing has to begin; None is that of an answer."""
Start = Callable[..., asyncio.Future[Any]]
"""(connection, message id, params) to the answer; what must be read at once is read in the call."""

LATE = ("completions", "tasks", "task_offers", "sign_in")
"""Modules of features that are imported after the client was answered."""


class CatoServer(LanguageServer):
    """pygls' server with a session. It needs a running loop and ends with its connection."""

    def __init__(self, log_path: str | None = None, token: str | None = None) -> None:
        """`token`: what the client's `initialize` must hold; None: nothing."""
        self._token = token
        self.converter = methods.converter()
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            "cato-lsp",
            __version__,
            protocol_cls=CatoProtocol,
            converter_factory=lambda: self.converter,
        )
        self.session = Session(self._tell_status, log_path, self.warn)
        self._log_level = logs.level()
        self.registration = InlineRegistration(self)
        self._lenses = LensRefresh(self)
        self.client_gone = asyncio.Event()
        """Set once the client's process has ended."""
        self.left = False
        """Whether the client said `exit`, or was turned away."""
        self._completions: CompletionService | None = None
        self._register()

    @property
    def completions(self) -> CompletionService:
        """The completion service; it is made when it is first needed."""
        if self._completions is None:
            # It brings syntax along, whose import `initialize` need not wait for.
            from cato_lsp.suggestions.service import completion_service

            self._completions = completion_service(self.session)
        return self._completions

    @property
    def position_encoding(self) -> str | None:
        """What positions are counted in, as agreed in `initialize`."""
        return self.workspace.position_encoding

    @property
    def is_shut_down(self) -> bool:
        """Whether the client said `shutdown`, or is gone."""
        return self.session.closed

    def cut_short(self, message_id: methods.Token) -> bool:
        """Cut a request short. Return whether there was one."""
        return self.session.requests.cancel(message_id)

    def lose_document(self, uri: str) -> None:
        """Record that a change of the document could not be read."""
        self.session.lose_document(uri)

    def receive(self, body: bytes | str) -> None:
        """Handle one message, whatever it is; of a batch, each message."""
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            cast("CatoProtocol", self.protocol).refuse_unreadable()
            return
        messages = cast("list[object]", data) if data and isinstance(data, list) else [data]
        for message in messages:
            self._receive(message)

    def _receive(self, data: Any) -> None:
        protocol = cast("CatoProtocol", self.protocol)
        try:
            if self._token is not None and not self._admits(data):
                return
            if protocol.is_malformed(data) or protocol.turns_away(data):
                return
            message = protocol.structure_message(data)
            protocol.handle_message(cast("RPCMessage", message))
            if data.get("method") not in LIFECYCLE:
                # `initialized` has been left out.
                lifecycle.begin(self)
        except Exception:
            log.exception("a message could not be handled")

    def _admits(self, data: Any) -> bool:
        if self._token is None or not knows(self._token, data):
            log.warning("a client without the right token was turned away")
            self.leave()
            return False
        self._token = None
        return True

    def load_features(self) -> None:
        """Import the features that `initialize` did not wait for. Meant for a thread."""
        load_features()

    def trace(self) -> None:
        """Log as much as the settings want."""
        logs.trace(self.session.settings.trace.value, self._log_level)

    def refresh_lenses(self) -> None:
        """Have the client ask for code lenses again if there are others now."""
        self._lenses.follow()

    def warn(self, text: str) -> None:
        """Show the person what went wrong, and log it."""
        log.warning("%s", text)
        kind = types.MessageType.Warning
        self.window_log_message(types.LogMessageParams(kind, text))
        self.window_show_message(types.ShowMessageParams(kind, text))

    def leave(self) -> None:
        """End the connection after the message that is being handled."""
        self.left = True

    def report_server_error(self, error: Exception, source: object) -> None:
        """Log the error: pygls would raise a pop-up."""
        log.error("%s", getattr(source, "__name__", source), exc_info=error)

    def _register(self) -> None:
        for method, start in REQUESTS.items():
            self._answer_by(method, RequestHandler(partial(start, self)))
        for method, handler in NOTIFICATIONS.items():
            self._answer_by(method, partial(handler, self))
        for method, hook in HOOKS.items():
            self.feature(method)(partial(hook, self))

    def _answer_by(self, method: str, handler: object) -> None:
        # What pygls itself answers comes first in its look-up: the place to replace it.
        manager = cast("Any", self.protocol.fm)
        manager.add_builtin_feature(method, handler)

    def _tell_status(self, status: Status) -> None:
        self.protocol.notify(methods.DID_CHANGE_STATUS, status.body())
        self.registration.follow(status.state)
        self.refresh_lenses()


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
    types.TEXT_DOCUMENT_CODE_ACTION: late("task_offers", "code_actions"),
    types.TEXT_DOCUMENT_CODE_LENS: late("task_offers", "code_lenses"),
    types.WORKSPACE_EXECUTE_COMMAND: execute_command,
    methods.SUMMARIZE: late("tasks", "summarize"),
    methods.TRANSLATE: late("tasks", "translate"),
    methods.STATUS: lifecycle.status,
    methods.RESTART_BACKEND: lifecycle.restart_backend,
    methods.SIGN_IN: late("sign_in", "sign_in"),
    methods.FINISH_SIGN_IN: late("sign_in", "finish_sign_in"),
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
