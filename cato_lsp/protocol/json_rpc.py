"""pygls' protocol with CATO's changes: the start of handlers, and the answers to requests."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Generator
from typing import Any, Protocol, cast

from cattrs.errors import BaseValidationError
from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.protocol import LanguageServerProtocol, lsp_method

from cato_lsp.protocol import methods
from cato_lsp.protocol.clients import declare
from cato_lsp.protocol.lenient import mended, uri_in, usable_initialization, with_params

log = logging.getLogger(__name__)

_OF_ANSWERS = frozenset({"result", "error"})
"""Members by which the answer to a request is known."""


class MessageOwner(Protocol):
    """The interface of the server whose messages the protocol reads."""

    @property
    def is_shut_down(self) -> bool:
        """Whether the client said `shutdown`, or is gone."""
        ...

    def cut_short(self, message_id: methods.Token) -> bool:
        """Cut a request short. Return whether there was one."""
        ...

    def lose_document(self, uri: str) -> None:
        """Record that a change of the document could not be read."""
        ...


class RequestHandler:
    """A request's handler that has taken its snapshot when the call returns.

    pygls starts a coroutine only when the loop comes round to it; by then the packet's next
    didChange may have been applied.
    """

    def __init__(self, start: Callable[[methods.Token, Any], asyncio.Future[Any]]) -> None:
        self._start = start

    def __call__(self, message_id: methods.Token, params: Any) -> asyncio.Future[Any]:
        """Return the answer, which never holds an exception; null if the request cannot start."""
        try:
            return self._start(message_id, params)
        except Exception:
            log.exception("a request could not be started")
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(None)
        return answer


class CatoProtocol(LanguageServerProtocol):
    """One connection's protocol. Its server is a `MessageOwner`."""

    @property
    def _owner(self) -> MessageOwner:
        return cast("MessageOwner", self._server)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Read a message as pygls does, but type `cato/...` as LSP's methods are typed.

        A request is answered even if its params do not fit.
        """
        method = data.get("method", "")
        if data.get("jsonrpc") != self.VERSION:
            data = {**data, "jsonrpc": self.VERSION}
        own = methods.MESSAGES.get(method)
        data = with_params(data, own or self.get_message_type(method))
        if method == types.INITIALIZE:
            return self._initialization(data)
        try:
            return self._structured(data, own)
        except (JsonRpcException, BaseValidationError):
            if "method" not in data:
                raise
        try:
            return self._structured(mended(data), own)
        except (JsonRpcException, BaseValidationError):
            self._not_read(data)
            raise

    def _structured(self, data: dict[str, Any], own: type[Any] | None) -> Any:
        if own is not None:
            return self._converter.structure(data, own)
        return super().structure_message(data)

    def _not_read(self, data: dict[str, Any]) -> None:
        """Answer a request that cannot be read.

        A change that cannot be read is noted: from then on the document is not known.
        """
        if "id" in data:
            refusal = JsonRpcInvalidParams().to_response_error()
            self._send_response(data["id"], error=refusal)
        elif data["method"] == types.TEXT_DOCUMENT_DID_CHANGE:
            uri = uri_in(data.get("params"))
            if uri is not None:
                self._owner.lose_document(uri)

    def _initialization(self, data: dict[str, Any]) -> Any:
        """Read the params of `initialize`, as far as they can be read."""
        try:
            return self._converter.structure(data, types.InitializeRequest)
        except (BaseValidationError, TypeError, ValueError, KeyError, AttributeError):
            log.warning("parts of what the client said of itself could not be read")
            params = usable_initialization(self._converter, data.get("params"))
            return self._converter.structure({**data, "params": params}, types.InitializeRequest)

    def refuse_unreadable(self) -> None:
        """Answer bytes that are no JSON: whose message it was is not known."""
        log.warning("a message is not JSON")
        self._refuse(None, types.ErrorCodes.ParseError, "the message is not JSON")

    def is_malformed(self, data: Any) -> bool:
        """Refuse what is no message of JSON-RPC; return whether it was refused."""
        message = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
        message_id = message.get("id")
        has_id = message_id is None or isinstance(message_id, int | str | float)
        if has_id and (isinstance(message.get("method"), str) or self._is_answer(message)):
            return False
        log.warning("a message is not JSON-RPC")
        words = "the message is neither a request nor an answer"
        self._refuse(message_id if has_id else None, types.ErrorCodes.InvalidRequest, words)
        return True

    def _is_answer(self, message: dict[str, Any]) -> bool:
        # Clients that leave out members that are null answer without a result.
        is_awaited = "method" not in message and message.get("id") in self._request_futures
        return is_awaited or bool(message.keys() & _OF_ANSWERS)

    def _refuse(self, message_id: object, code: types.ErrorCodes, message: str) -> None:
        """Answer with an error; a message whose id cannot be read is answered for the id null."""
        error = {"code": int(code), "message": message}
        self._send_data({"jsonrpc": self.VERSION, "id": message_id, "error": error})

    def turns_away(self, data: dict[str, Any]) -> bool:
        """Refuse what does not belong into this part of the connection's life."""
        method = data.get("method")
        if method is None or method == types.EXIT:
            return False
        initialized = self._workspace is not None
        is_shut_down = self._owner.is_shut_down
        if is_shut_down or (method == types.INITIALIZE and initialized):
            code, message = types.ErrorCodes.InvalidRequest, "the server is shut down"
            if not is_shut_down:
                message = "the server is initialized"
        elif method != types.INITIALIZE and not initialized:
            code, message = types.ErrorCodes.ServerNotInitialized, "the server is not initialized"
        else:
            return False
        if "id" in data:
            self._refuse(data["id"], code, message)
        return True

    def handle_message(self, message: Any) -> None:
        """Handle a message as pygls does, which tells kinds apart by `isinstance`: 0.1 ms a key."""
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
        if isinstance(handler, RequestHandler):
            handler(msg_id, *(args or ())).add_done_callback(callback)
        else:
            super()._execute_handler(msg_id, handler, callback, args, kwargs)

    def _handle_cancel_notification(self, msg_id: methods.Token) -> None:
        if not self._owner.cut_short(msg_id):
            super()._handle_cancel_notification(msg_id)

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """Answer as pygls does, then declare what depends on the client."""
        result = yield from super().lsp_initialize(params)
        declare(result.capabilities, params.capabilities)
        return result
