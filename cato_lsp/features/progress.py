"""Work-done progress and partial results, and the client's wish to end them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from cato_lsp.protocol.clients import shows_progress

if TYPE_CHECKING:
    from cato_lsp.backend.answers import TaskProgress
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.protocol.methods import Token

ANSWER_S = 1.0


class Progress:
    """Tells the client how one task gets on; without tokens it tells nothing.

    pygls' own progress keeps every token it ever saw.
    """

    def __init__(
        self, connection: ClientConnection, work_done: Token | None, partial: Token | None
    ) -> None:
        self._connection = connection
        self._work_done = work_done
        self._partial = partial

    def begin(self, title: str) -> None:
        """The work begins."""
        self._send(self._work_done, types.WorkDoneProgressBegin(title=title, cancellable=True))

    def report(self, progress: TaskProgress) -> None:
        """The work goes on."""
        value = types.WorkDoneProgressReport(message=progress.text, percentage=progress.percentage)
        self._send(self._work_done, value)

    def delta(self, text: str) -> None:
        """A piece of the result."""
        self._send(self._partial, {"delta": text})

    def restart(self, text: str) -> None:
        """The pieces so far are void: the result, which comes whole at the end, is what counts."""

    def end(self) -> None:
        """The work is over."""
        self._send(self._work_done, types.WorkDoneProgressEnd())

    def _send(self, token: Token | None, value: object) -> None:
        if token is not None:
            self._connection.progress(types.ProgressParams(token, value))


async def server_token(connection: ClientConnection) -> Token | None:
    """A token for progress that the server begins, where the client shows such and answers soon."""
    if not shows_progress(connection.client_capabilities):
        return None
    token = uuid4().hex
    try:
        async with asyncio.timeout(ANSWER_S):
            await connection.window_work_done_progress_create_async(
                types.WorkDoneProgressCreateParams(token)
            )
    except (TimeoutError, JsonRpcException):
        return None
    return token


def cancel(connection: ClientConnection, params: types.WorkDoneProgressCancelParams) -> None:
    """`window/workDoneProgress/cancel`: the person pressed the progress's cancel button."""
    connection.session.requests.cancel_progress(params.token)
