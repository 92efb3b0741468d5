"""Brings a task's result into its document: as edits of the version that it has by then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from cato_backend.wire.tasks import TaskKind
from cato_lsp.protocol.clients import applies_edits, confirms_edits
from cato_lsp.tasks.docstrings import Insertion
from cato_lsp.tasks.edits import edits_of
from cato_lsp.tasks.jobs import DocumentEdit, Job, Outcome, TaskResult

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.session.session import Session
    from cato_lsp.text import Snapshot

_ANNOTATION = "cato"


def with_edits(session: Session, job: Job, result: TaskResult) -> TaskResult:
    """Returns the result with its edits of the document as it is now. What has no place there any
    more is left out, and said."""
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
    """Asks the client to apply the edits, after the person has seen them where it can show them;
    whether it did. All of them are undone in one step."""
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
