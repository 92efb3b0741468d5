"""`POST /v1/tasks`: a whole task under one end-to-end target, as a stream of named events."""

from __future__ import annotations

from aiohttp import web

from cato_backend.errors import RequestError
from cato_backend.gateway.bodies import parse_json
from cato_backend.gateway.drafts import within_workflow
from cato_backend.gateway.headers import RequestHeaders, parse_headers
from cato_backend.gateway.responses import error_response
from cato_backend.gateway.sinks import StreamSink
from cato_backend.gateway.state import GATEWAY, TENANT
from cato_backend.gateway.task_run import EndedByClient, TaskRun, outcome_of
from cato_backend.runtime.history import Past
from cato_backend.runtime.runtime import Runtime
from cato_backend.tasks.parsing import parse_task_request
from cato_backend.wire.headers import ALIAS
from cato_backend.wire.tasks import TaskEvent, TaskRequest


async def tasks(request: web.Request) -> web.StreamResponse:
    """`POST /v1/tasks`."""
    gateway = request.app[GATEWAY]
    runtime = gateway.runtime
    arrival = runtime.clock()
    value = parse_json(await request.read())
    task = parse_task_request(value)
    headers = parse_headers(request.headers, request[TENANT], gateway.config.targets, task.task)
    headers = within_workflow(headers, runtime, arrival)
    sink = StreamSink(request)
    model = str(value.get("model", ALIAS))
    work = _serve(runtime, headers, task, arrival, model, sink)
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
            past = Past(headers.origin.tenant, task.task, name, outcome, None, e2e_s)
            runtime.scores.task_ended(headers.request_id, past)
