"""`cato/status` and `cato/restartBackend`; what the client asks for follows the status."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_lsp.backend.status import State
from cato_lsp.protocol.clients import refreshes_code_lenses, registers_inline_completion
from cato_lsp.protocol.methods import Token

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.session.session import Session

REGISTRATION_ID = "cato-inline-completion"


def status(connection: ClientConnection, message_id: Token, _params: object) -> asyncio.Future[Any]:
    """Answer the status as it is now."""
    return connection.session.requests.start(message_id, _status(connection.session))


def restart_backend(
    connection: ClientConnection, message_id: Token, _params: object
) -> asyncio.Future[Any]:
    """Forget the backend that was found, look again, and answer the status after that."""
    return connection.session.requests.start(message_id, _restarted(connection.session))


class InlineRegistration:
    """Whether the client asks for inline completions at all, where it lets that be registered."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._registered = False

    def follow(self, state: State) -> None:
        """Register while suggestions can be had, and unregister when they cannot."""
        wanted = state in {State.READY, State.BUSY}
        if wanted != self._registered and registers_inline_completion(
            self._connection.client_capabilities
        ):
            self._registered = wanted
            (self._register if wanted else self._unregister)()

    def _register(self) -> None:
        method, options = (
            types.TEXT_DOCUMENT_INLINE_COMPLETION,
            types.InlineCompletionRegistrationOptions(),
        )
        registration = types.Registration(REGISTRATION_ID, method, options)
        self._connection.client_register_capability(types.RegistrationParams([registration]))

    def _unregister(self) -> None:
        gone = types.Unregistration(REGISTRATION_ID, types.TEXT_DOCUMENT_INLINE_COMPLETION)
        self._connection.client_unregister_capability(types.UnregistrationParams([gone]))


class LensRefresh:
    """Has the client ask for code lenses again, if it can be told, once there are others."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._offered: tuple[object, ...] = ()

    def follow(self) -> None:
        """Tell the client if what lenses offer, or which files may have them, has changed."""
        session = self._connection.session
        settings, backend = session.settings, session.link.connection
        offered: tuple[object, ...] = ()
        if settings.code_lens.enabled and backend is not None and backend.model.whole_tasks:
            offered = (backend.model.whole_tasks, settings.privacy, session.roots)
        if offered == self._offered:
            return
        self._offered = offered
        if refreshes_code_lenses(self._connection.client_capabilities):
            self._connection.workspace_code_lens_refresh(None)


async def _status(session: Session) -> dict[str, Any]:
    return session.status().body()


async def _restarted(session: Session) -> dict[str, Any]:
    session.link.restart()
    await session.link.looked()
    return session.status().body()
