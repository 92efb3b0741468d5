"""`POST /v1/tasks`: a whole task under one end-to-end target, as a stream of named events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from aiohttp import web
from pydantic import Field, ValidationInfo, field_validator

from cato_backend.errors import InternalError, RequestError
from cato_backend.gateway.bodies import OpenBody
from cato_backend.gateway.drafts import make_call, model_draft, within_workflow
from cato_backend.gateway.headers import RequestHeaders
from cato_backend.gateway.incoming import parse_json, validated
from cato_backend.gateway.responses import StreamSink, error_response, json_event, started_headers
from cato_backend.gateway.state import GATEWAY, given_headers, targets_of
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
from cato_backend.wire.headers import ALIAS, MOST_OUTPUT_TOKENS
from cato_backend.wire.tasks import Diagnostic, TaskEvent, TaskKind, TaskRequest, Unit

MAX_UNITS = 64
MAX_TEXT_CHARS = 1_000_000
_MAX_TOKENS = 16_384
_MAX_DIAGNOSTICS = 64
_MAX_INSTRUCTION_CHARS = 20_000

Language = Annotated[str, Field(pattern=r"^[A-Za-z0-9+#_.-]{1,64}$")]
LineNumber = Annotated[int, Field(ge=0, le=MAX_TEXT_CHARS)]


class DiagnosticBody(OpenBody):
    """`units[].diagnostics[]`: what is to be fixed."""

    line: int = Field(ge=1, le=MAX_TEXT_CHARS)
    message: str = Field(min_length=1, max_length=2000)


class UnitBody(OpenBody):
    """`units[]`: one piece of source."""

    name: str = Field(default="", max_length=200)
    kind: str = Field(default="function", min_length=1, max_length=64)
    text: str = Field(min_length=1, max_length=MAX_TEXT_CHARS, pattern=r"\S")
    output_tokens: int | None = Field(default=None, ge=1, le=MOST_OUTPUT_TOKENS)
    """The client's own estimate of the unit's answer."""
    signature: str = Field(default="", max_length=10_000)
    uses: list[Annotated[int, Field(ge=0, lt=MAX_UNITS)]] = Field(
        default_factory=list[int], max_length=MAX_UNITS
    )
    """The indexes of the units that it uses."""
    breaks: list[LineNumber] = Field(default_factory=list[int], max_length=100_000)
    """Lines, counted from 0, at which a statement begins."""
    diagnostics: list[DiagnosticBody] = Field(
        default_factory=list[DiagnosticBody], max_length=_MAX_DIAGNOSTICS
    )

    def unit(self) -> Unit:
        """Return the unit as the rest of the backend knows it."""
        return Unit(
            name=self.name,
            kind=self.kind,
            text=self.text,
            output_tokens=self.output_tokens,
            signature=self.signature,
            uses=tuple(self.uses),
            breaks=tuple(self.breaks),
            diagnostics=tuple(Diagnostic(said.line, said.message) for said in self.diagnostics),
        )


class TaskBody(OpenBody):
    """A whole task; see `wire.tasks`."""

    task: TaskKind = Field(strict=False)
    language: Language
    target_language: Language | None = Field(default=None, validate_default=True)
    instruction: str = Field(default="", max_length=_MAX_INSTRUCTION_CHARS, validate_default=True)
    units: list[UnitBody] = Field(min_length=1, max_length=MAX_UNITS)
    context: str = Field(default="", max_length=MAX_TEXT_CHARS)
    model: str = Field(default=ALIAS, min_length=1, max_length=500)
    max_tokens: int | None = Field(default=None, ge=1, le=_MAX_TOKENS)

    @field_validator("target_language")
    @classmethod
    def _translations_have_a_target(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("task") is TaskKind.TRANSLATION:
            raise ValueError("expected a language identifier such as python")
        return value

    @field_validator("instruction")
    @classmethod
    def _generations_have_an_instruction(cls, value: str, info: ValidationInfo) -> str:
        if not value.strip() and info.data.get("task") is TaskKind.GENERATION:
            raise ValueError("expected what to generate, in words")
        return value

    @field_validator("units")
    @classmethod
    def _belong_together(cls, value: list[UnitBody]) -> list[UnitBody]:
        if sum(len(unit.text) for unit in value) > MAX_TEXT_CHARS:
            raise ValueError(f"expected at most {MAX_TEXT_CHARS} characters together")
        for unit in value:
            if any(used >= len(value) for used in unit.uses):
                raise ValueError(f"expected uses to be indexes of the {len(value)} units")
        return value

    def request(self) -> TaskRequest:
        """Return the task as the rest of the backend knows it."""
        return TaskRequest(
            task=self.task,
            language=self.language,
            units=tuple(unit.unit() for unit in self.units),
            target_language=self.target_language,
            context=self.context,
            limits={} if self.max_tokens is None else {"max_tokens": self.max_tokens},
            instruction=self.instruction,
        )


async def tasks(request: web.Request) -> web.StreamResponse:
    """`POST /v1/tasks`."""
    gateway = request.app[GATEWAY]
    runtime = gateway.runtime
    arrival = runtime.clock()
    given = given_headers(request)
    body = validated(TaskBody, parse_json(await gateway.bodies.read(request)))
    task = body.task.slo_class
    headers = given.of_task(task, targets_of(gateway, body.model, task))
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
    """Send the task's events into `sink`, and count its outcome once. Raises RequestError.

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
    """Makes the task's calls with the task's headers."""

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
        """Send one event."""
        await self._sink.write(json_event(value, event))

    async def end(self) -> None:
        """End the stream."""
        await self._sink.write(sse.event(sse.DONE))
