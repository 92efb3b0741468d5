"""`POST /v1/tasks`: a whole task under one end-to-end target, as a stream of named events."""

from __future__ import annotations

from aiohttp import web

from cato_backend.errors import RequestError
from cato_backend.gateway.drafts import within_workflow
from cato_backend.gateway.headers import RequestHeaders, parse_headers
from cato_backend.gateway.responses import error_response
from cato_backend.gateway.sinks import StreamSink
from cato_backend.gateway.state import GATEWAY, TENANT
from cato_backend.gateway.task_bodies import TaskBody
from cato_backend.gateway.task_run import EndedByClient, TaskRun, outcome_of
from cato_backend.gateway.validation import parse_json, validated
from cato_backend.runtime.history import CompletedCall
from cato_backend.runtime.runtime import Runtime
from cato_backend.wire.tasks import TaskEvent, TaskRequest


async def tasks(request: web.Request) -> web.StreamResponse:
    """`POST /v1/tasks`."""
    gateway = request.app[GATEWAY]
    runtime = gateway.runtime
    arrival = runtime.clock()
    given = parse_headers(request.headers, request[TENANT])
    body = validated(TaskBody, parse_json(await gateway.bodies.read(request)))
    task = body.request()
    headers = given.of_task(task.task, gateway.config.targets)
    headers = within_workflow(headers, runtime, arrival)
    sink = StreamSink(request)
    work = _serve(runtime, headers, task, arrival, body.model, sink)
    try:
        return await sink.serve(work, TaskEvent.ERROR)
    except RequestError as error:
        return error_response(error, headers.request_id)


async def _serve(
    runtime: Runtime,
    headers: RequestHeaders,
    task: TaskRequest,
    arrival: float,
    model: str,
    sink: StreamSink,
) -> None:
    """The task's events into `sink`, and its outcome, once, into the metrics. Raises RequestError.

    The outcome of a task of one call is that call's.
    """
    name = await runtime.catalog.resolve(model, task.task, headers.target.budget_s)
    run = TaskRun(runtime, headers, task, arrival, model, name)
    outcome = "cancelled"
    try:
        outcome = "met" if await run.stream(sink) else "late"
    except EndedByClient as ended:
        outcome = outcome_of(ended)
    except RequestError as error:
        outcome = outcome_of(error)
        raise
    finally:
        if run.is_several:
            e2e_s = runtime.clock() - arrival if outcome in ("met", "late") else None
            past = CompletedCall(headers.origin.tenant, task.task, name, outcome, None, e2e_s)
            runtime.scores.task_ended(headers.request_id, past)
