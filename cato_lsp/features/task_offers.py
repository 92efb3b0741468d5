"""The whole tasks that the model can do, offered in the document.

`textDocument/codeAction` offers them at the cursor, and `textDocument/codeLens` above functions and
classes, where the person wants that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from cato_backend.wire.tasks import TaskKind
from cato_lsp.protocol.methods import TASK_COMMANDS, Token
from cato_lsp.session.documents import position_of
from cato_lsp.syntax.lexing import has_lexicon
from cato_lsp.syntax.parts import definition_count, named_definitions
from cato_lsp.syntax.units import unit_at
from cato_lsp.tasks.kinds import BY_KIND
from cato_lsp.tasks.running import refusal
from cato_lsp.tasks.selection import MOST_UNITS, NothingSelected, TextRange, select

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.text import Snapshot

_ACTION_TITLES = MappingProxyType(
    {
        TaskKind.DOCUMENTATION: "Document",
        TaskKind.TESTS: "Write tests for",
        TaskKind.EXPLANATION: "Explain",
    }
)
_COMMAND_OF = MappingProxyType({verb: command for command, verb in TASK_COMMANDS.items()})
_LONGEST_MESSAGE = 60
_LONGEST_COUNTED_FILE = 200_000
"""In characters: in a longer one, definitions are not counted, which takes up to 0.1 s there."""
_REWRITE, _QUICK_FIX = types.CodeActionKind.RefactorRewrite, types.CodeActionKind.QuickFix
_SOURCE = types.CodeActionKind.Source
_LENS_TITLES = MappingProxyType(
    {
        TaskKind.EXPLANATION: "Explain",
        TaskKind.DOCUMENTATION: "Document",
        TaskKind.TESTS: "Tests",
    }
)
_MOST_DEFINITIONS = 1_000
_LONGEST_LENS_FILE = 250_000
"""In characters. A document with more of either has no lenses: to find and to send them would hold
up the answers to keys for 0.1 s and more."""


def code_actions(
    connection: ClientConnection, message_id: Token, params: types.CodeActionParams
) -> asyncio.Future[Any]:
    """Answer the actions; none if no backend is reached or its model can do none of them."""
    return connection.session.requests.start(message_id, _actions(connection, params))


async def _actions(
    connection: ClientConnection, params: types.CodeActionParams
) -> list[types.CodeAction] | None:
    snapshot = connection.session.documents.snapshot(params.text_document.uri)
    backend = connection.session.link.connection
    if (
        snapshot is None
        or backend is None
        or not connection.session.permissions.allows(snapshot.uri)
    ):
        return None
    url = backend.client.target.url
    can = {kind for kind in TaskKind if not refusal(kind, backend.model, url)}
    found = [
        *_fixes(params),
        *_of_unit(connection, snapshot, params),
        *_generation(connection, snapshot, params),
        *_of_file(snapshot, params),
    ]
    only = params.context.only
    return [
        action for kind, action in found if kind in can and (not only or _is_within(action, only))
    ]


def _is_within(action: types.CodeAction, only: Sequence[types.CodeActionKind | str]) -> bool:
    kind = str(getattr(action.kind, "value", action.kind))
    wanted = [str(getattr(each, "value", each)) for each in only]
    return any(kind == each or kind.startswith(f"{each}.") for each in wanted)


def _fixes(params: types.CodeActionParams) -> Iterator[tuple[TaskKind, types.CodeAction]]:
    for diagnostic in params.context.diagnostics:
        first = diagnostic.message.splitlines()[0] if diagnostic.message else "this"
        short = first if len(first) <= _LONGEST_MESSAGE else f"{first[:_LONGEST_MESSAGE]}..."
        action = _action(
            params, TaskKind.FIX, f"CATO: Fix: {short}", _QUICK_FIX, diagnostic.range, [diagnostic]
        )
        action.diagnostics = [diagnostic]
        yield TaskKind.FIX, action


def _of_unit(
    connection: ClientConnection, snapshot: Snapshot, params: types.CodeActionParams
) -> Iterator[tuple[TaskKind, types.CodeAction]]:
    if not snapshot.settled:
        # Editors ask at each key: to parse again here would hold up the answers to all of them.
        return
    offset = snapshot.offset(position_of(params.range.start), connection.session.documents.encoding)
    unit = unit_at(snapshot, offset)
    if unit is None:
        return
    for kind, title in _ACTION_TITLES.items():
        name = unit.name or unit.kind
        yield kind, _action(params, kind, f"CATO: {title} {name}", _REWRITE, params.range.start)


def _generation(
    connection: ClientConnection, snapshot: Snapshot, params: types.CodeActionParams
) -> Iterator[tuple[TaskKind, types.CodeAction]]:
    """Yield the action for a cursor on a comment, in a language whose comments are known."""
    if not has_lexicon(snapshot.language_id):
        return
    offset = snapshot.offset(position_of(params.range.end), connection.session.documents.encoding)
    try:
        select(snapshot, TaskKind.GENERATION, TextRange(offset, offset))
    except NothingSelected:
        return
    title = "CATO: Generate what the comment says"
    yield (
        TaskKind.GENERATION,
        _action(params, TaskKind.GENERATION, title, _REWRITE, params.range.end),
    )


def _of_file(
    snapshot: Snapshot, params: types.CodeActionParams
) -> Iterator[tuple[TaskKind, types.CodeAction]]:
    """Yield the actions for a file that has definitions, and no more than one task takes."""
    if not snapshot.settled or len(snapshot.text) > _LONGEST_COUNTED_FILE:
        return
    if not 0 < definition_count(snapshot, MOST_UNITS + 1) <= MOST_UNITS:
        return
    title = "CATO: Document all functions and classes"
    kind = TaskKind.DOCUMENTATION
    yield kind, _action(params, kind, title, _SOURCE, None)


def _action(
    params: types.CodeActionParams,
    task: TaskKind,
    title: str,
    kind: types.CodeActionKind,
    place: types.Position | types.Range | None,
    extra: object = None,
) -> types.CodeAction:
    arguments: list[Any] = [params.text_document.uri, place]
    if extra is not None:
        arguments.append(extra)
    command = _COMMAND_OF[BY_KIND[task].word]
    return types.CodeAction(
        title, kind=kind, command=types.Command(title, command, arguments=arguments)
    )


def code_lenses(
    connection: ClientConnection, message_id: Token, params: types.CodeLensParams
) -> asyncio.Future[Any]:
    """Answer the lenses with their commands: there is nothing left to resolve.

    There are none if they are switched off, if no backend is reached, if its model can do none of
    the tasks, and in a document without a grammar.
    """
    return connection.session.requests.start(message_id, _lenses(connection, params))


async def _lenses(
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
    kinds = [kind for kind in _LENS_TITLES if not refusal(kind, backend.model, url)]
    is_short = len(snapshot.text) <= _LONGEST_LENS_FILE
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
        "command": {"title": _LENS_TITLES[kind], "command": command, "arguments": arguments},
    }
