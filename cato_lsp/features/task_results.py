"""Shows a task to the client: its progress, its pieces, and its result as edits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from cato_backend.wire.tasks import TaskKind
from cato_lsp.protocol.clients import applies_edits, confirms_edits, shows_progress
from cato_lsp.tasks.docstrings import Insertion
from cato_lsp.tasks.edits import edits_of
from cato_lsp.tasks.jobs import DocumentEdit, Job, Outcome, TaskResult

if TYPE_CHECKING:
    from cato_lsp.backend.task_answers import TaskProgress
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.protocol.methods import Token
    from cato_lsp.session.session import Session
    from cato_lsp.text import Snapshot

TOKEN_S = 1.0
"""How long a client may take to accept a progress token."""
_ANNOTATION = "cato"


class Progress:
    """Reports the progress of one task to the client. Without progress tokens it reports nothing.

    pygls' own progress keeps every token it ever saw.
    """

    def __init__(
        self, connection: ClientConnection, work_done: Token | None, partial: Token | None
    ) -> None:
        self._connection = connection
        self._work_done = work_done
        self._partial = partial

    def begin(self, title: str) -> None:
        """Notify the client that the work begins."""
        self._send(self._work_done, types.WorkDoneProgressBegin(title=title, cancellable=True))

    def report(self, progress: TaskProgress) -> None:
        """Notify the client how far the work is."""
        value = types.WorkDoneProgressReport(message=progress.text, percentage=progress.percentage)
        self._send(self._work_done, value)

    def delta(self, text: str) -> None:
        """Send a piece of the result."""
        self._send(self._partial, {"delta": text})

    def restart(self, text: str) -> None:
        """Notify the client that the pieces so far are void, and begin with `text`."""
        self._send(self._partial, {"delta": text, "restart": True})

    def end(self) -> None:
        """Notify the client that the work is over."""
        self._send(self._work_done, types.WorkDoneProgressEnd())

    def _send(self, token: Token | None, value: object) -> None:
        if token is not None:
            self._connection.progress(types.ProgressParams(token, value))


async def server_token(connection: ClientConnection) -> Token | None:
    """Return a token for progress that the server begins.

    It is None if the client does not show such progress, or does not answer soon.
    """
    if not shows_progress(connection.client_capabilities):
        return None
    token = uuid4().hex
    try:
        async with asyncio.timeout(TOKEN_S):
            await connection.window_work_done_progress_create_async(
                types.WorkDoneProgressCreateParams(token)
            )
    except (TimeoutError, JsonRpcException):
        return None
    return token


def with_edits(session: Session, job: Job, result: TaskResult) -> TaskResult:
    """Return the result with its edits of the document as it is now.

    What has no place there any more is left out, and the message says so.
    """
    snapshot = session.documents.snapshot(job.uri)
    if result.outcome is not Outcome.OK or snapshot is None:
        return result
    placed = edits_of(job.kind, job.units, result.units, job.snapshot, snapshot)
    told = tuple(_told(session, snapshot, edit) for edit in placed.edits)
    if job.kind is not TaskKind.SUMMARIZATION:
        problems = [f"{unit.name}: {unit.problem}" for unit in result.failed]
        said = [result.message, *problems, *placed.left_out]
        return replace(result, edits=told, message="; ".join(filter(None, said)))
    return replace(result, documentation=told[0] if len(told) == len(job.units) == 1 else None)


async def apply_edits(connection: ClientConnection, job: Job, result: TaskResult) -> bool:
    """Ask the client to apply the edits, and return whether it did.

    The person sees them first if the client can show them. All of them are undone in one step.
    """
    client = connection.client_capabilities
    if not applies_edits(client):
        return False
    label = f"CATO: {result.title}"
    edit = _workspace_edit(job.uri, result, label, confirm=confirms_edits(client))
    try:
        answer = await connection.workspace_apply_edit_async(
            types.ApplyWorkspaceEditParams(edit, label=label)
        )
    except JsonRpcException:
        return False
    return answer.applied


def _workspace_edit(
    uri: str, result: TaskResult, label: str, *, confirm: bool
) -> types.WorkspaceEdit:
    edits = [_text_edit(edit, confirm=confirm) for edit in result.edits]
    version = result.edits[0].version
    document = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=version)
    annotation = types.ChangeAnnotation(label=label, needs_confirmation=True)
    return types.WorkspaceEdit(
        document_changes=[types.TextDocumentEdit(text_document=document, edits=edits)],
        change_annotations={_ANNOTATION: annotation} if confirm else None,
    )


def _text_edit(edit: DocumentEdit, *, confirm: bool) -> types.TextEdit | types.AnnotatedTextEdit:
    start, end = (types.Position(at.line, at.character) for at in (edit.start, edit.end))
    place = types.Range(start, end)
    if not confirm:
        return types.TextEdit(place, edit.text)
    return types.AnnotatedTextEdit(_ANNOTATION, place, edit.text)


def _told(session: Session, snapshot: Snapshot, edit: Insertion) -> DocumentEdit:
    encoding = session.documents.encoding
    start, end = (snapshot.position(at, encoding) for at in (edit.start, edit.end))
    return DocumentEdit(snapshot.version, start, end, edit.text)
