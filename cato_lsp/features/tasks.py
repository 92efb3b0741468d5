"""Whole tasks, as requests (`cato/summarize`, `cato/translate`) and as commands (all of them)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cattrs.errors import BaseValidationError
from lsprotocol import types

from cato_backend.wire.tasks import Diagnostic, TaskKind
from cato_lsp.backend.calls import new_request_id
from cato_lsp.backend.failures import BackendFailure, outdates_the_connection
from cato_lsp.features.task_results import Progress, apply_edits, server_token, with_edits
from cato_lsp.protocol.methods import (
    TASK_COMMANDS,
    CommandParams,
    Token,
    TranslateParams,
    UnitParams,
)
from cato_lsp.session.documents import position_of
from cato_lsp.tasks.jobs import Job, Outcome, TaskResult, result_of
from cato_lsp.tasks.kinds import VERBS, UnknownLanguage, target_language
from cato_lsp.tasks.running import run_job
from cato_lsp.tasks.selection import NothingSelected, TextRange, select

if TYPE_CHECKING:
    from cato_lsp.features.connection import ClientConnection
    from cato_lsp.session.session import Session
    from cato_lsp.text import Snapshot

NOT_OPEN = "the document is not open"
KEPT_PRIVATE = "this file is not sent to a model: see the settings under privacy"
_EXTRA = MappingProxyType({TaskKind.TRANSLATION: "a language"})
"""What a command needs besides the document and the place."""


@dataclass(frozen=True, slots=True)
class TaskParams:
    """Parameters of a task: a place or range of a document, or all of it (None)."""

    kind: TaskKind
    uri: str
    chosen: types.Position | types.Range | None
    target_language: str | None = None
    instruction: str = ""
    diagnostics: tuple[types.Diagnostic, ...] = ()
    work_done_token: Token | None = None
    partial_result_token: Token | None = None
    by_command: bool = False
    """Whether the client sees only what the connection does: its progress, its edits."""


def summarize(
    connection: ClientConnection, message_id: Token, params: UnitParams
) -> asyncio.Future[Any]:
    """Answer what the unit under the cursor does, in a few sentences."""
    return start_task(connection, message_id, _of_unit(TaskKind.SUMMARIZATION, params))


def translate(
    connection: ClientConnection, message_id: Token, params: TranslateParams
) -> asyncio.Future[Any]:
    """Answer the unit under the cursor in another language."""
    return start_task(connection, message_id, _of_unit(TaskKind.TRANSLATION, params))


def _of_unit(kind: TaskKind, params: UnitParams) -> TaskParams:
    return TaskParams(
        kind,
        params.text_document.uri,
        params.position,
        params.target_language,
        work_done_token=params.work_done_token,
        partial_result_token=params.partial_result_token,
    )


def command(
    connection: ClientConnection, message_id: Token, params: CommandParams
) -> asyncio.Future[Any]:
    """Run one of the `TASK_COMMANDS`: `[uri, position or range or null, more]`.

    What belongs into the document is brought there.
    """
    kind = VERBS[TASK_COMMANDS[params.command]].kind
    try:
        task = _of_command(connection, kind, params)
    except (BaseValidationError, ValueError, TypeError):
        extra = f" and {_EXTRA[kind]}" if kind in _EXTRA else ""
        message = f"{params.command} needs a document, a position or a range{extra}"
        return connection.session.requests.start(message_id, _known(_failure(message)))
    return start_task(connection, message_id, task)


def _of_command(connection: ClientConnection, kind: TaskKind, params: CommandParams) -> TaskParams:
    """Read the arguments of a command.

    Raises BaseValidationError, ValueError, TypeError for arguments of another form.
    """
    given: list[Any] = list(params.arguments or ())
    uri, place, *more = given
    if not isinstance(uri, str) or (place is not None and not isinstance(place, dict)):
        raise TypeError
    chosen: types.Position | types.Range | None = None
    if place is not None:
        form: Any = types.Range if "start" in place else types.Position
        chosen = connection.converter.structure(place, form)
    extra = more[0] if more else None
    if kind in _EXTRA and not isinstance(extra, str):
        raise TypeError
    diagnostics: tuple[types.Diagnostic, ...] = ()
    if kind is TaskKind.FIX and extra is not None:
        diagnostics = tuple(connection.converter.structure(extra, list[types.Diagnostic]))
    return TaskParams(
        kind,
        uri,
        chosen,
        target_language=extra if kind is TaskKind.TRANSLATION else None,
        instruction=str(extra or "") if kind is TaskKind.GENERATION else "",
        diagnostics=diagnostics,
        work_done_token=params.work_done_token,
        partial_result_token=params.partial_result_token,
        by_command=True,
    )


def start_task(
    connection: ClientConnection, message_id: Token, params: TaskParams
) -> asyncio.Future[Any]:
    """Answer a TaskResult, always. The units are those of this moment."""
    job = _job(connection.session, params)
    if isinstance(job, TaskResult):
        return connection.session.requests.start(message_id, _known(job))
    work = _work(connection, message_id, job, params)
    cut_short = result_of(job, Outcome.CANCELLED).body()
    return connection.session.requests.start(message_id, work, if_cut_short=cut_short)


def _job(session: Session, params: TaskParams) -> Job | TaskResult:
    try:
        target = params.target_language and target_language(params.target_language)
    except UnknownLanguage as error:
        return _failure(str(error))
    snapshot = session.documents.snapshot(params.uri)
    if snapshot is None:
        return _failure(NOT_OPEN)
    if not session.permissions.allows(snapshot.uri):
        return _failure(KEPT_PRIVATE)
    chosen = _characters(session, snapshot, params.chosen)
    try:
        selection = select(snapshot, params.kind, chosen, params.instruction)
    except NothingSelected as error:
        return _failure(str(error))
    return Job(
        kind=params.kind,
        selection=selection,
        snapshot=snapshot,
        target_language=target,
        request_id=new_request_id(),
        asked_at_s=time.perf_counter(),
        diagnostics=tuple(
            Diagnostic(said.range.start.line + 1, said.message) for said in params.diagnostics
        ),
    )


def _characters(
    session: Session, snapshot: Snapshot, chosen: types.Position | types.Range | None
) -> TextRange | None:
    if chosen is None:
        return None
    ends = (chosen.start, chosen.end) if isinstance(chosen, types.Range) else (chosen, chosen)
    encoding = session.documents.encoding
    return TextRange(*(snapshot.offset(position_of(end), encoding) for end in ends))


def _failure(message: str) -> TaskResult:
    return TaskResult(Outcome.FAILED, message=message)


async def _known(result: TaskResult) -> dict[str, Any]:
    return result.body()


async def _work(
    connection: ClientConnection, message_id: Token, job: Job, params: TaskParams
) -> dict[str, Any]:
    token = params.work_done_token
    if token is None and params.by_command:
        token = await server_token(connection)
    if token is not None:
        connection.session.requests.show_progress(message_id, token)
    progress = Progress(connection, token, params.partial_result_token)
    progress.begin(job.title)
    try:
        result = with_edits(connection.session, job, await _done(connection.session, job, progress))
    finally:
        progress.end()
    if params.by_command and result.edits:
        result = replace(result, applied=await apply_edits(connection, job, result))
    return result.body()


async def _done(session: Session, job: Job, progress: Progress) -> TaskResult:
    """Do the job. Never raises for the backend: the result's message says what was wrong."""
    await session.link.ever_looked()
    backend = session.link.connection
    if backend is None:
        return result_of(job, Outcome.FAILED, message=session.link.status.message)
    try:
        return await run_job(
            job, backend, session.client_ids(job.uri), session.settings.targets, progress
        )
    except BackendFailure as failure:
        if outdates_the_connection(failure):
            session.link.failed(backend.client, failure)
        return result_of(job, Outcome.FAILED, message=str(failure))
