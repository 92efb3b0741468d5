"""The connection from `initialize` to `exit`: the client's configuration, and the backend's status.

What the client asks for follows the status: `cato/status`, `cato/restartBackend`, registrations.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from cato_lsp.backend.link import State
from cato_lsp.protocol.clients import (
    answers_configuration,
    editor_delay_ms,
    is_alive,
    refreshes_code_lenses,
    registers_inline_completion,
    watch_process,
    watches_configuration,
)
from cato_lsp.protocol.methods import Token
from cato_lsp.text import Encoding
from cato_lsp.text.document import root_of

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.session.session import Session

log = logging.getLogger(__name__)

SECTION = "cato"
CONFIGURATION_S = 5.0
UNANNOUNCED_S = 5.0
"""A client that has not said `initialized` by then will not say it."""
REGISTRATION_ID = "cato-inline-completion"


def initialize(connection: ClientConnection, params: types.InitializeParams) -> None:
    """Take what the client says about itself, before the capabilities are answered."""
    connection.session.documents.encoding = Encoding(connection.position_encoding or Encoding.UTF16)
    connection.session.initialization_options = params.initialization_options
    if params.client_info is not None:
        connection.session.editor = params.client_info.name
        connection.session.editor_delay_ms = editor_delay_ms(params.client_info.name)
    connection.session.move_to(_roots(params))
    asyncio.get_running_loop().call_later(UNANNOUNCED_S, begin, connection)
    if isinstance(params.process_id, int) and is_alive(params.process_id):
        connection.session.keep_running(watch_process(params.process_id, connection.client_gone))


def _roots(params: types.InitializeParams) -> tuple[Path, ...]:
    uris = [folder.uri for folder in params.workspace_folders or ()]
    uris += [params.root_uri] if params.root_uri and not uris else []
    if not uris and params.root_path:
        return (Path(params.root_path),)
    return _paths(uris)


def _paths(uris: Iterable[str]) -> tuple[Path, ...]:
    return tuple(path for uri in uris if (path := root_of(uri)) is not None)


def folders_changed(
    connection: ClientConnection, params: types.DidChangeWorkspaceFoldersParams
) -> None:
    """Take the workspace's new folders: private files may be named relative to them."""
    gone = _paths(folder.uri for folder in params.event.removed)
    new = _paths(folder.uri for folder in params.event.added)
    kept = tuple(root for root in connection.session.roots if root not in gone)
    connection.session.move_to(kept + tuple(root for root in new if root not in kept))
    connection.refresh_lenses()


def initialized(connection: ClientConnection, _params: object = None) -> None:
    """Begin, because the client listens now."""
    begin(connection)


def begin(connection: ClientConnection) -> None:
    """Ask the client for its configuration, then look for a backend; once."""
    if not (connection.session.begun or connection.session.closed):
        connection.session.begun = True
        connection.session.background(_begin(connection))


async def _begin(connection: ClientConnection) -> None:
    connection.session.background(asyncio.to_thread(connection.load_features))
    watch_configuration(connection)
    await read_configuration(connection, None)
    if not connection.session.closed:
        connection.session.link.start()


def shutdown(connection: ClientConnection, _params: None = None) -> Generator[Any, Any, None]:
    """Answer what is in flight and let go of the backend."""
    # At once: `exit` may stand in the same packet.
    connection.session.closed = True
    yield connection.session.close, (), None


def leave(connection: ClientConnection, _params: None = None) -> None:
    """End this connection; the transport decides whether that ends the process."""
    connection.leave()


async def configuration_changed(
    connection: ClientConnection, params: types.DidChangeConfigurationParams
) -> None:
    """Read the settings, which changed.

    What came along is used only if the client cannot be asked for them.
    """
    await read_configuration(connection, params.settings)


def watch_configuration(connection: ClientConnection) -> None:
    """Ask to be told of changes, if the client tells only those who ask."""
    if watches_configuration(connection.client_capabilities):
        registration = types.Registration(
            "cato-configuration",
            types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            types.DidChangeConfigurationRegistrationOptions(SECTION),
        )
        connection.client_register_capability(types.RegistrationParams([registration]))


async def read_configuration(connection: ClientConnection, pushed: object) -> None:
    """Read and apply the settings; `pushed` is what a notification carried."""
    if not answers_configuration(connection.client_capabilities):
        _apply(connection, _section(pushed))
        return
    asked = asyncio.ensure_future(_asked(connection))
    done, _ = await asyncio.wait([asked], timeout=CONFIGURATION_S)
    if not done:
        log.warning("the client has not given its configuration: it is not waited for")
        connection.session.keep_running(_apply_late(connection, asked))
    _apply(connection, asked.result() if done else None)


async def _apply_late(connection: ClientConnection, asked: asyncio.Future[object]) -> None:
    _apply(connection, await asked)


def _apply(connection: ClientConnection, section: object) -> None:
    complaints = connection.session.configure(section)
    connection.refresh_lenses()
    connection.trace()
    for complaint in complaints:
        connection.warn(str(complaint))


async def _asked(connection: ClientConnection) -> object:
    item = types.ConfigurationItem(section=SECTION)
    answers: object
    try:
        answers = await connection.workspace_configuration_async(types.ConfigurationParams([item]))
    except JsonRpcException as error:
        log.warning("the client did not give its configuration: %s", type(error).__name__)
        return None
    return answers[0] if answers and isinstance(answers, list | tuple) else None


def _section(settings: object) -> object:
    """Return what was pushed for this server: the clients' other settings may come along."""
    if not isinstance(settings, Mapping):
        return None
    named = cast("Mapping[object, object]", settings).items()
    return {name: value for name, value in named if str(name).partition(".")[0] == SECTION}


def status(connection: ClientConnection, message_id: Token, _params: object) -> asyncio.Future[Any]:
    """Answer the status as it is now."""
    return connection.session.requests.start(message_id, _status(connection.session))


def restart_backend(
    connection: ClientConnection, message_id: Token, _params: object
) -> asyncio.Future[Any]:
    """Forget the backend that was found, look again, and answer the status after that."""
    return connection.session.requests.start(message_id, _restarted(connection.session))


class InlineRegistration:
    """Registers inline completions while there is a backend, where the client supports it."""

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
        """Notify the client if what lenses offer, or which files may have them, has changed."""
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
    session.times.recovered()
    session.link.restart()
    await session.link.looked()
    return session.status().body()
