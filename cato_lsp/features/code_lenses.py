"""`textDocument/codeLens`: tasks above functions and classes, where the person wants them there."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_backend.wire.tasks import TaskKind
from cato_lsp.protocol.methods import TASK_COMMANDS, Token
from cato_lsp.syntax.parts import named_definitions
from cato_lsp.tasks.kinds import BY_KIND
from cato_lsp.tasks.running import refusal

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection

_TITLES = MappingProxyType(
    {
        TaskKind.EXPLANATION: "Explain",
        TaskKind.DOCUMENTATION: "Document",
        TaskKind.TESTS: "Tests",
    }
)
_COMMAND_OF = MappingProxyType({verb: command for command, verb in TASK_COMMANDS.items()})
_MOST_DEFINITIONS = 1_000
_LONGEST_FILE = 250_000
"""In characters. A document with more of either has no lenses: to find and to send them would hold
up the answers to keys for 0.1 s and more."""


def start(
    connection: ClientConnection, message_id: Token, params: types.CodeLensParams
) -> asyncio.Future[Any]:
    """Answer the lenses with their commands: there is nothing left to resolve.

    There are none if they are switched off, if no backend is reached, if its model can do none of
    the tasks, and in a document without a grammar.
    """
    return connection.session.requests.start(message_id, _answer(connection, params))


async def _answer(
    connection: ClientConnection, params: types.CodeLensParams
) -> list[dict[str, Any]] | None:
    session = connection.session
    snapshot = session.documents.snapshot(params.text_document.uri)
    backend = session.link.connection
    is_wanted = session.settings.code_lens.enabled
    if not is_wanted or snapshot is None or backend is None:
        return None
    if not session.permissions.allows(snapshot.uri):
        return None
    url = backend.client.target.url
    kinds = [kind for kind in _TITLES if not refusal(kind, backend.model, url)]
    is_short = len(snapshot.text) <= _LONGEST_FILE
    offsets = named_definitions(snapshot, _MOST_DEFINITIONS) if kinds and is_short else ()
    places = [snapshot.position(at, session.documents.encoding) for at in offsets]
    return [
        _lens(params.text_document.uri, kind, place.line, place.character, order)
        for place in places
        for order, kind in enumerate(kinds)
    ]


def _lens(uri: str, kind: TaskKind, line: int, character: int, order: int) -> dict[str, Any]:
    """Return a lens as the protocol spells it: a class for each would take most of the time.

    Each lens of a line begins a character further on, for clients sort them by that.
    """
    begin = {"line": line, "character": character + order}
    command = _COMMAND_OF[BY_KIND[kind].word]
    # Behind the first character, which may also be the end of another definition.
    arguments = [uri, {"line": line, "character": character + 1}]
    return {
        "range": {"start": begin, "end": begin},
        "command": {"title": _TITLES[kind], "command": command, "arguments": arguments},
    }
