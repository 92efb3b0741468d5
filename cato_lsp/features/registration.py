"""Lets inline completion come and go with the backend, where the client can follow that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from cato_lsp.backend.status import State
from cato_lsp.protocol.clients import registers_inline_completion

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer

REGISTRATION_ID = "cato-inline-completion"


class InlineRegistration:
    """Whether the client asks for inline completions at all."""

    def __init__(self, server: CatoServer) -> None:
        self._server = server
        self._registered = False

    def follow(self, state: State) -> None:
        """Registers while suggestions can be had, unregisters when they cannot."""
        wanted = state in {State.READY, State.BUSY}
        if wanted != self._registered and registers_inline_completion(
            self._server.client_capabilities
        ):
            self._registered = wanted
            (self._register if wanted else self._unregister)()

    def _register(self) -> None:
        method, options = (
            types.TEXT_DOCUMENT_INLINE_COMPLETION,
            types.InlineCompletionRegistrationOptions(),
        )
        registration = types.Registration(REGISTRATION_ID, method, options)
        self._server.client_register_capability(types.RegistrationParams([registration]))

    def _unregister(self) -> None:
        gone = types.Unregistration(REGISTRATION_ID, types.TEXT_DOCUMENT_INLINE_COMPLETION)
        self._server.client_unregister_capability(types.UnregistrationParams([gone]))
