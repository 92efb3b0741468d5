"""`cato/summarize` and `cato/translate`, as requests and as commands."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cato_backend.wire.headers import Task
from cato_lsp.backend.calls import new_request_id
from cato_lsp.features.progress import Progress, server_token
from cato_lsp.protocol.methods import Token, TranslateParams, UnitParams
from cato_lsp.session.documents import position_of
from cato_lsp.syntax.units import unit_at
from cato_lsp.tasks.docstrings import documentation
from cato_lsp.tasks.jobs import DocumentEdit, Job, Outcome, TaskResult, result_of, run_task
from cato_lsp.tasks.target_languages import UnknownLanguage, target_language

if TYPE_CHECKING:
    from cato_lsp.server import CatoServer
    from cato_lsp.session.session import Session

NOT_OPEN = "the document is not open"
KEPT_PRIVATE = "this file is not read to a model: see the settings under privacy"
NO_UNIT = "there is no function or class under the cursor"


def summarize(server: CatoServer, message_id: Token, params: UnitParams) -> asyncio.Future[Any]:
    """Answers what the unit under the cursor does, in a few sentences."""
    return start_task(server, message_id, Task.SUMMARIZATION, params)


def translate(
    server: CatoServer, message_id: Token, params: TranslateParams
) -> asyncio.Future[Any]:
    """Answers the unit under the cursor in another language."""
    return start_task(server, message_id, Task.TRANSLATION, params)


def start_task(
    server: CatoServer,
    message_id: Token,
    task: Task,
    params: UnitParams,
    *,
    begins_progress: bool = False,
) -> asyncio.Future[Any]:
    """Answers a TaskResult, always. The unit is the one of this moment.

    `begins_progress`: show the client progress although it gave no token for it.
    """
    job = _job(server.session, task, params)
    if isinstance(job, TaskResult):
        return server.session.requests.start(message_id, _known(job))
    work = _work(server, message_id, job, params, begins_progress=begins_progress)
    cut_short = result_of(job, Outcome.CANCELLED).body()
    return server.session.requests.start(message_id, work, if_cut_short=cut_short)


def _job(session: Session, task: Task, params: UnitParams) -> Job | TaskResult:
    try:
        target = params.target_language and target_language(params.target_language)
    except UnknownLanguage as error:
        return TaskResult(Outcome.FAILED, message=str(error))
    snapshot = session.documents.snapshot(params.text_document.uri)
    if snapshot is None:
        return TaskResult(Outcome.FAILED, message=NOT_OPEN)
    if not session.allows(snapshot.uri):
        return TaskResult(Outcome.FAILED, message=KEPT_PRIVATE)
    offset = snapshot.offset(position_of(params.position), session.documents.encoding)
    unit = unit_at(snapshot, offset)
    if unit is None:
        return TaskResult(Outcome.FAILED, message=NO_UNIT)
    return Job(
        task=task,
        unit=unit,
        uri=snapshot.uri,
        language_id=snapshot.language_id,
        target_language=target,
        request_id=new_request_id(),
        asked_at_s=time.perf_counter(),
    )


async def _known(result: TaskResult) -> dict[str, Any]:
    return result.body()


async def _work(
    server: CatoServer, message_id: Token, job: Job, params: UnitParams, *, begins_progress: bool
) -> dict[str, Any]:
    token = params.work_done_token
    if token is None and begins_progress:
        token = await server_token(server)
    if token is not None:
        server.session.requests.show_progress(message_id, token)
    progress = Progress(server, token, params.partial_result_token)
    progress.begin(job.title)
    try:
        result = await run_task(server.session, job, progress)
        return replace(result, documentation=_documentation(server.session, job, result)).body()
    finally:
        progress.end()


def _documentation(session: Session, job: Job, result: TaskResult) -> DocumentEdit | None:
    """How a summary is inserted into the document; None where that has changed, or is not usual."""
    snapshot = session.documents.snapshot(job.uri)
    if job.task is not Task.SUMMARIZATION or not result.text or snapshot is None:
        return None
    if snapshot.text[job.unit.start : job.unit.end] != job.unit.text:
        return None
    insertion = documentation(snapshot, job.unit, result.text)
    if insertion is None:
        return None
    encoding = session.documents.encoding
    start, end = (snapshot.position(at, encoding) for at in (insertion.start, insertion.end))
    return DocumentEdit(snapshot.version, start, end, insertion.text)
