"""`initialize`, `initialized`, `shutdown`, `exit`."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_lsp.features import configuration, late
from cato_lsp.protocol.clients import editor_delay_ms, is_alive, watch_process
from cato_lsp.session.uris import root_of
from cato_lsp.text import Encoding

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer

UNANNOUNCED_S = 5.0
"""A client that has not said `initialized` by then will not say it."""


def initialize(server: CatoServer, params: types.InitializeParams) -> None:
    """Before the capabilities are answered: what the client said about itself."""
    server.session.documents.encoding = Encoding(
        server.workspace.position_encoding or Encoding.UTF16
    )
    server.session.initialization_options = params.initialization_options
    if params.client_info is not None:
        server.session.editor = params.client_info.name
        server.session.editor_delay_ms = editor_delay_ms(params.client_info.name)
    server.session.roots = _roots(params)
    asyncio.get_running_loop().call_later(UNANNOUNCED_S, begin, server)
    if isinstance(params.process_id, int) and is_alive(params.process_id):
        server.session.keep_running(watch_process(params.process_id, server.client_gone))


def _roots(params: types.InitializeParams) -> tuple[Path, ...]:
    uris = [folder.uri for folder in params.workspace_folders or ()]
    uris += [params.root_uri] if params.root_uri and not uris else []
    if not uris and params.root_path:
        return (Path(params.root_path),)
    return _paths(uris)


def _paths(uris: Iterable[str]) -> tuple[Path, ...]:
    return tuple(path for uri in uris if (path := root_of(uri)) is not None)


def folders_changed(server: CatoServer, params: types.DidChangeWorkspaceFoldersParams) -> None:
    """`workspace/didChangeWorkspaceFolders`: what is kept may be relative to them."""
    gone = _paths(folder.uri for folder in params.event.removed)
    new = _paths(folder.uri for folder in params.event.added)
    kept = tuple(root for root in server.session.roots if root not in gone)
    server.session.move_to(kept + tuple(root for root in new if root not in kept))


def initialized(server: CatoServer, _params: object = None) -> None:
    """The client listens."""
    begin(server)


def begin(server: CatoServer) -> None:
    """Asks the client for its configuration, then looks for a backend; once."""
    if not (server.begun or server.session.closed):
        server.begun = True
        server.session.background(_begin(server))


async def _begin(server: CatoServer) -> None:
    server.session.background(asyncio.to_thread(late.load))
    configuration.watch(server)
    await configuration.read(server, None)
    if not server.session.closed:
        server.session.link.start()


def shutdown(server: CatoServer, _params: None = None) -> Generator[Any, Any, None]:
    """Answers what is in flight and lets go of the backend."""
    # At once: `exit` may stand in the same packet.
    server.session.closed = True
    yield server.session.close, (), None


def leave(server: CatoServer, _params: None = None) -> None:
    """Ends this connection; whether that ends the process is the transport's to say."""
    server.leave()
