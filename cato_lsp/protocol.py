"""pygls' protocol, where CATO needs it otherwise: what starts when, and what is answered."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, cast

from cattrs.errors import BaseValidationError
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import LanguageServerProtocol, lsp_method

from cato_lsp import methods
from cato_lsp.capabilities import declare

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer

log = logging.getLogger(__name__)


class Entry:
    """A request's handler that has taken its snapshot when the call returns.

    pygls starts a coroutine only when the loop comes round to it; by then the packet's next
    didChange may have been applied.
    """

    def __init__(self, start: Callable[[methods.Token, Any], asyncio.Future[Any]]) -> None:
        self._start = start

    def __call__(self, message_id: methods.Token, params: Any) -> asyncio.Future[Any]:
        """The answer, which never holds an exception."""
        return self._start(message_id, params)


class CatoProtocol(LanguageServerProtocol):
    """One connection's protocol."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """As pygls; but `cato/...` is typed as LSP's methods are, and a request is answered even
        if its params do not fit."""
        try:
            kind = methods.MESSAGES.get(data.get("method", ""))
            if kind is not None:
                return self._converter.structure(data, kind)
            return super().structure_message(data)
        except (JsonRpcException, BaseValidationError):
            if "id" in data and "method" in data:
                refusal = JsonRpcInvalidParams().to_response_error()
                self._send_response(data["id"], error=refusal)
            raise

    def handle_message(self, message: Any) -> None:
        """As pygls, which tells them apart by `isinstance` of protocol classes: 0.1 ms a key."""
        plain = getattr(message, "jsonrpc", None) == self.VERSION and hasattr(message, "method")
        if self._shutdown or not plain:
            super().handle_message(message)
            return
        run = contextvars.copy_context().run
        if hasattr(message, "id"):
            run(self._handle_request, message.id, message.method, message.params)
        else:
            run(self._handle_notification, message.method, message.params)

    def _execute_handler(
        self,
        msg_id: methods.Token,
        handler: Any,
        callback: Callable[[Any], None],
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        if isinstance(handler, Entry):
            handler(msg_id, *(args or ())).add_done_callback(callback)
        else:
            super()._execute_handler(msg_id, handler, callback, args, kwargs)

    def _handle_cancel_notification(self, msg_id: methods.Token) -> None:
        server = cast("CatoServer", self._server)
        if not server.session.requests.cancel(msg_id):
            super()._handle_cancel_notification(msg_id)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """As pygls, then declares what depends on the client."""
        result = yield from super().lsp_initialize(params)
        declare(result.capabilities, params.capabilities)
        return result
