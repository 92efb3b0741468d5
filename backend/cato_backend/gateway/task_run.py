"""A whole task on its way: calls side by side, stage after stage, under one end-to-end budget."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from cato_backend.errors import NotFound, RequestError, UnusableAnswer
from cato_backend.gateway.drafts import make_call, model_draft
from cato_backend.gateway.headers import RequestHeaders
from cato_backend.gateway.remaking import Remake, run_call
from cato_backend.gateway.sinks import StreamSink
from cato_backend.gateway.task_stream import TaskStream
from cato_backend.gateway.task_unit import Ask, UnitSink
from cato_backend.prediction.workflows import PlannedCall, stage_budget_s
from cato_backend.requests import Target
from cato_backend.runtime.calls import Call
from cato_backend.runtime.runtime import Runtime
from cato_backend.tasks.calls import Abilities, ModelCall
from cato_backend.tasks.expected import with_expected
from cato_backend.tasks.overviews import OVERVIEW_TOKENS, has_overview, overview_call
from cato_backend.tasks.reading import AnswerProblem
from cato_backend.tasks.whole import finish, plan, results
from cato_backend.wire.headers import CancelReason, Task
from cato_backend.wire.tasks import TaskRequest

_SIDE_BY_SIDE = 16
"""Calls of one task at once: enough to keep a fleet busy, too few to fill everybody's queue."""
_LEAST_BUDGET_S = 0.001
_PENALTY = 1.0
"""OpenAI's presence penalty, for an answer that is asked for once more."""
_SUMMARY_TOKENS = 80
"""Of one unit, in the prompt of an overview."""


class EndedByClient(Exception):
    """The client ended the task by name; its connection stays."""

    def __init__(self, reason: CancelReason) -> None:
        super().__init__(reason)
        self.reason = reason


class TaskRun:
    """One task, from its plan to its result: for the model that was `asked` for, planned with the
    abilities of the one that this means now, `name`."""

    def __init__(
        self,
        runtime: Runtime,
        headers: RequestHeaders,
        task: TaskRequest,
        arrival: float,
        asked: str,
        name: str,
    ) -> None:
        self._runtime = runtime
        self._headers = headers
        self._task = task
        self._arrival = arrival
        self._asked = asked
        self._model = runtime.catalog.facts(name).model
        self._abilities = _abilities(runtime, name)
        self._gate = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._sinks: list[UnitSink] = []
        self._calls = with_expected(
            plan(task, self._abilities),
            task,
            headers.expected_tokens,
            self._abilities.chars_per_token,
        )
        self._has_overview = has_overview(task, self._abilities)

    @property
    def is_several(self) -> bool:
        """Whether it takes more than one call."""
        return len(self._calls) > 1

    async def stream(self, sink: StreamSink) -> bool:
        """Sends the task's events; whether the result came in time.

        Raises RequestError, and EndedByClient after the stream's proper end.
        """
        stream = TaskStream(sink, len(self._calls) + self._has_overview)
        try:
            later = [self._planned_overview()] if self._has_overview else []
            await self._stage(self._calls, later, stream)
            overview = ""
            if self._has_overview:
                texts = results(self._task, [unit.text for unit in self._sinks])
                await self._stage([overview_call(self._task, texts, self._abilities)], [], stream)
                overview = self._sinks[-1].text
        except EndedByClient:
            await stream.end()
            raise
        return await self._finish(stream, overview)

    async def _stage(
        self, calls: Sequence[ModelCall], later: Sequence[PlannedCall], stream: TaskStream
    ) -> None:
        """Runs the calls side by side, all due when the stage is; `later` come after them."""
        first = len(self._sinks)
        self._sinks += [
            UnitSink(stream, number, one_block=call.one_block)
            for number, call in enumerate(calls, first)
        ]
        due = self._runtime.clock() + self._stage_budget_s(calls, later)
        remakes = [self._remake(call, number, due) for number, call in enumerate(calls, first)]
        made = [await remake(0) for remake in remakes]
        try:
            async with asyncio.TaskGroup() as group:
                for number, call in enumerate(calls, first):
                    asking = self._asking(call, number, due, made[number - first])
                    group.create_task(self._run(self._sinks[number], asking, stream, number))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def _run(self, sink: UnitSink, asking: Ask, stream: TaskStream, number: int) -> None:
        async with self._gate:
            reason = await sink.run(asking, self._note)
        if reason is not None:
            raise EndedByClient(reason)
        if sink.problem is not None and not self._may_miss_one:
            raise _unusable(sink.problem)
        await stream.done(number)

    def _asking(self, planned: ModelCall, number: int, due: float, first: Call) -> Ask:
        """Makes the call, the second time with a penalty on what the answer has said already."""

        async def ask(sink: UnitSink, again: bool) -> CancelReason | None:
            call, remake = first, self._remake(planned, number, due)
            if again:
                other = replace(planned, presence_penalty=_PENALTY)
                remake = self._remake(other, number, due)
                made = await remake(0)
                call = replace(made, request=replace(made.request, supersede=False))
            request = call.request
            sink.on_enough = partial(self._end, request.id, request.origin.tenant)
            return await run_call(call, remake, self._runtime, sink)

        return ask

    def _end(self, request_id: str, tenant: str) -> None:
        # It may have come to its own end at the same moment.
        with contextlib.suppress(NotFound):
            self._runtime.cancel(request_id, tenant, CancelReason.ENOUGH)

    def _note(self, problem: AnswerProblem) -> None:
        self._runtime.metrics.unusable_answers.labels(self._task.task, problem).inc()

    @property
    def _may_miss_one(self) -> bool:
        """Whether the result is of use without the answer to one of its calls."""
        return self._task.task is Task.SUMMARIZATION and self.is_several

    def _remake(self, call: ModelCall, number: int, due: float) -> Remake:
        return partial(self._made, call, number, due)

    async def _made(self, call: ModelCall, number: int, due: float, least_context: int) -> Call:
        now = self._runtime.clock()
        target = Target(e2e_s=max(_LEAST_BUDGET_S, due - now))
        name = self._headers.request_id
        headers = replace(
            self._headers,
            request_id=f"{name}.{number}" if self.is_several else name,
            target=target,
            expected_tokens=call.expected_tokens,
            workflow=self._headers.workflow or name,
            # Only the first makes older work obsolete: its siblings are of the same document.
            supersede=self._headers.supersede and number == 0,
        )
        draft = model_draft(call, self._asked)
        made = await make_call(draft, headers, self._runtime, now, 0, least_context)
        return replace(made, group=name) if self.is_several else made

    def _stage_budget_s(self, calls: Sequence[ModelCall], later: Sequence[PlannedCall]) -> float:
        spent_s = self._runtime.clock() - self._arrival
        left_s = max(_LEAST_BUDGET_S, self._headers.target.budget_s - spent_s)
        stages = [[self._planned(call) for call in calls], *([call] for call in later)]
        return stage_budget_s(stages, left_s, self._runtime.predictions.times(self._model))

    def _planned(self, call: ModelCall) -> PlannedCall:
        tokens = self._runtime.catalog.ratio(self._model).tokens(call.prompt_chars)
        return PlannedCall(self._task.task, tokens, call.max_tokens)

    def _planned_overview(self) -> PlannedCall:
        tokens = _SUMMARY_TOKENS * len(self._calls)
        return PlannedCall(self._task.task, tokens, OVERVIEW_TOKENS)

    async def _finish(self, stream: TaskStream, overview: str) -> bool:
        texts = [unit.text for unit in self._sinks[: len(self._calls)]]
        if not any(text.strip() for text in texts):
            raise _unusable(self._sinks[0].problem or AnswerProblem.EMPTY)
        elapsed_s = self._runtime.clock() - self._arrival
        met = elapsed_s <= self._headers.target.budget_s
        await stream.result(
            {
                "text": finish(self._task, texts, overview),
                "finish_reason": self._sinks[-1].finish_reason,
                "elapsed_ms": round(elapsed_s * 1e3, 1),
                "met": met,
            }
        )
        return met


def _abilities(runtime: Runtime, name: str) -> Abilities:
    facts = runtime.catalog.facts(name)
    return Abilities(
        fim=facts.fim.format,
        follows_instructions=facts.instruct.follows,
        max_model_len=facts.max_model_len,
        chars_per_token=runtime.catalog.ratio(name).mean,
    )


def _unusable(problem: AnswerProblem) -> UnusableAnswer:
    what = {
        AnswerProblem.EMPTY: "with nothing",
        AnswerProblem.REPETITION: "with a text that repeats itself without end",
    }
    return UnusableAnswer(
        f"the model answered {what[problem]}, twice; a larger model, or one that follows "
        "instructions, may do better"
    )


def outcome_of(error: RequestError | EndedByClient) -> str:
    """How a task that has no result is counted."""
    if isinstance(error, RequestError):
        return error.code
    return "enough" if error.reason is CancelReason.ENOUGH else "cancelled"
