"""`cato/status`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cato_lsp.protocol.methods import Token

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer
    from cato_lsp.session.session import Session


def start(server: CatoServer, message_id: Token, _params: object) -> asyncio.Future[Any]:
    """Answers the status as it is now."""
    return server.session.requests.start(message_id, _answer(server.session))


async def _answer(session: Session) -> dict[str, Any]:
    return session.status().body()
