"""`initialize`, `initialized`, `shutdown`, `exit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from cato_lsp.features import configuration
from cato_lsp.text import Encoding

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer


def initialize(server: CatoServer, params: types.InitializeParams) -> None:
    """Before the capabilities are answered: what the client said about itself."""
    server.session.documents.encoding = Encoding(
        server.workspace.position_encoding or Encoding.UTF16
    )
    server.session.initialization_options = params.initialization_options


async def initialized(server: CatoServer, _params: types.InitializedParams) -> None:
    """The client listens: ask it for its configuration, then look for a backend."""
    configuration.watch(server)
    await configuration.read(server, None)
    server.session.link.start()


async def shutdown(server: CatoServer, _params: None = None) -> None:
    """Answers what is in flight and lets go of the backend."""
    await server.session.close()


def leave(server: CatoServer, _params: None = None) -> None:
    """Ends this connection; whether that ends the process is the transport's to say."""
    server.leave()
