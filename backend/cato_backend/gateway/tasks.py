"""`POST /v1/tasks`: a whole task under one end-to-end target, as a stream of named events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import orjson
from aiohttp import web

from cato_backend.errors import InternalError, RequestError
from cato_backend.gateway.drafts import make_call, model_draft, within_workflow
from cato_backend.gateway.headers import RequestHeaders, parse_headers
from cato_backend.gateway.responses import error_response
from cato_backend.gateway.sinks import StreamSink, started_headers
from cato_backend.gateway.state import GATEWAY, TENANT
from cato_backend.gateway.task_bodies import TaskBody
from cato_backend.gateway.validation import parse_json, validated
from cato_backend.requests import Target
from cato_backend.runtime.calls import Call, Started
from cato_backend.runtime.runtime import Runtime
from cato_backend.runtime.task_events import EventSink
from cato_backend.runtime.task_run import TaskRun
from cato_backend.runtime.task_terms import LEAST_BUDGET_S, EndedByClient, TaskTerms, outcome_of
from cato_backend.runtime.tenants import CompletedCall
from cato_backend.tasks.plans import ModelCall
from cato_backend.wire import headers as names
from cato_backend.wire import sse
from cato_backend.wire.tasks import TaskEvent


async def tasks(request: web.Request) -> web.StreamResponse:
    """`POST /v1/tasks`."""
    gateway = request.app[GATEWAY]
    runtime = gateway.runtime
    arrival = runtime.clock()
    given = parse_headers(request.headers, request[TENANT])
    body = validated(TaskBody, parse_json(await gateway.bodies.read(request)))
    headers = given.of_task(body.task.slo_class, gateway.config.targets)
    headers = within_workflow(headers, runtime, arrival)
    sink = StreamSink(request)
    work = serve_task(runtime, headers, body, arrival, _Events(sink, headers))
    try:
        return await sink.serve(work, TaskEvent.ERROR)
    except RequestError as error:
        return error_response(error, headers.request_id)


async def serve_task(
    runtime: Runtime, headers: RequestHeaders, body: TaskBody, arrival: float, sink: EventSink
) -> None:
    """The task's events into `sink`, and its outcome, once, into the metrics. Raises RequestError.

    The outcome of a task of one call is that call's.
    """
    budget_s = headers.target.budget_s
    name = await runtime.catalog.resolve(body.model, headers.task, budget_s)
    terms = TaskTerms(body.request(), arrival, budget_s, name, headers.expected_tokens)
    run = TaskRun(runtime, terms)
    calls = _Calls(runtime, headers, body.model, run.is_several)
    outcome = "cancelled"
    try:
        outcome = "met" if await run.stream(sink, calls) else "late"
    except EndedByClient as ended:
        outcome = outcome_of(ended)
    except RequestError as error:
        outcome = outcome_of(error)
        raise
    except Exception:
        outcome = InternalError.code
        raise
    finally:
        if run.is_several:
            e2e_s = runtime.clock() - arrival if outcome in ("met", "late") else None
            past = CompletedCall(headers.origin.tenant, headers.task, name, outcome, None, e2e_s)
            runtime.scores.task_ended(headers.request_id, past)


@dataclass(frozen=True, slots=True)
class _Calls:
    """Makes the task's calls as if each had come with the task's headers."""

    runtime: Runtime
    headers: RequestHeaders
    model: str
    """As the client names it."""
    is_several: bool

    async def __call__(
        self, planned: ModelCall, number: int, due: float, least_context: int
    ) -> Call:
        now = self.runtime.clock()
        name = self.headers.request_id
        headers = replace(
            self.headers,
            request_id=f"{name}.{number}" if self.is_several else name,
            target=Target(e2e_s=max(LEAST_BUDGET_S, due - now)),
            expected_tokens=planned.expected_tokens,
            workflow=self.headers.workflow or name,
        )
        draft = model_draft(planned, self.model)
        made = await make_call(draft, headers, self.runtime, now, 0, least_context)
        return replace(made, group=name) if self.is_several else made


class _Events:
    """Writes the task's events as server-sent ones."""

    def __init__(self, sink: StreamSink, headers: RequestHeaders) -> None:
        self._sink = sink
        self._headers = headers

    @property
    def has_begun(self) -> bool:
        """Whether the response has."""
        return self._sink.response is not None

    async def begin(self, started: Started | None) -> None:
        """Begins the response; its headers name no replica where no call has a token yet."""
        own = {names.REQUEST_ID: self._headers.request_id, names.TASK: str(self._headers.task)}
        known = {} if started is None else started_headers(started)
        await self._sink.begin_with(known | own)

    async def send(self, event: TaskEvent, value: dict[str, Any]) -> None:
        """Sends one event."""
        await self._sink.write(sse.event(orjson.dumps(value).decode(), event))

    async def end(self) -> None:
        """Ends the stream."""
        await self._sink.write(sse.event(sse.DONE))
