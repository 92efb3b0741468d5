"""One connection's language server."""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol.json_rpc import RPCMessage

from cato_lsp import __version__, logs
from cato_lsp.backend.status import Status
from cato_lsp.features import lifecycle
from cato_lsp.features.status import InlineRegistration, LensRefresh
from cato_lsp.features.table import HOOKS, NOTIFICATIONS, REQUESTS, load_features
from cato_lsp.protocol import methods
from cato_lsp.protocol.admission import knows
from cato_lsp.protocol.json_rpc import CatoProtocol, RequestHandler
from cato_lsp.session.session import Session

if TYPE_CHECKING:
    from cato_lsp.suggestions.service import CompletionService

log = logging.getLogger(__name__)

LIFECYCLE = frozenset({types.INITIALIZE, types.INITIALIZED, types.SHUTDOWN, types.EXIT, None})
"""Methods after which nothing has to begin; None is that of an answer."""


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
        self.exit_status: int | None = None
        """Set once the client said `exit`: 0 if it said `shutdown` before."""
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
        """Take note that a change of the document could not be read."""
        self.session.lose_document(uri)

    def receive(self, body: bytes | str) -> None:
        """Handle one message, whatever it is."""
        try:
            data = json.loads(body)
            if self._token is not None and not self._admits(data):
                return
            if cast("CatoProtocol", self.protocol).turns_away(data):
                return
            message = self.protocol.structure_message(data)
            self.protocol.handle_message(cast("RPCMessage", message))
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
        self.exit_status = 0 if self.session.closed else 1

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
