"""Runs a whole task: parallel calls, stage after stage, under one end-to-end budget."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from functools import partial

from cato_backend.errors import (
    InternalError,
    NotFound,
    RequestCancelled,
    RequestError,
    ShuttingDown,
    Superseded,
    Unauthorized,
    UpstreamFailed,
)
from cato_backend.requests import Target
from cato_backend.runtime.calls import Call
from cato_backend.runtime.runtime import Remake, Runtime, run_call
from cato_backend.runtime.task_events import Ask, EventSink, StepSink, TaskEvents
from cato_backend.runtime.task_terms import (
    LEAST_BUDGET_S,
    EndedByClient,
    MakeCall,
    TaskTerms,
    TaskTimes,
    abilities_of,
    defective,
    failed_units,
    unit_results,
    unusable,
)
from cato_backend.tasks.plans import ModelCall
from cato_backend.tasks.reading import AnswerProblem
from cato_backend.tasks.whole import expected_tokens, plan, with_expected_tokens
from cato_backend.wire.headers import CancelReason

_SIDE_BY_SIDE = 16
"""Calls of one task at once: enough to keep a fleet busy, too few to fill everybody's queue."""
_PENALTY = 1.0
"""OpenAI's presence penalty, for an answer that is asked for again."""
_SILENT_S = 0.3
"""After this the estimate is sent though no call has a token yet. Until then a failure is told by
the response's status."""
_OF_THE_WHOLE = (RequestCancelled, Superseded, ShuttingDown, InternalError, Unauthorized)
"""Failures of one call that end the task: its other calls would fail, or are not wanted."""


class TaskRun:
    """One task, from its plan to its result."""

    def __init__(self, runtime: Runtime, terms: TaskTerms) -> None:
        """Make the plan. Raises InvalidRequest for what the model cannot do."""
        self._runtime = runtime
        self._terms = terms
        self._model = runtime.catalog.facts(terms.model).model
        self._gate = asyncio.Semaphore(_SIDE_BY_SIDE)
        abilities = abilities_of(runtime.catalog, terms.model)
        self._takes_system_message = abilities.takes_system_message
        expected = expected_tokens(terms.task, terms.expected_tokens, abilities.chars_per_token)
        self._plan = with_expected_tokens(plan(terms.task, abilities), expected)
        self._times = TaskTimes(runtime, terms, self._plan, self._model)
        self._sinks: dict[int, StepSink] = {}
        self._problems: dict[int, RequestError] = {}
        """Errors of steps without an answer, by step."""
        self._defects: dict[int, RequestError] = {}
        """Errors of steps whose answer is shown, by step."""

    @property
    def is_several(self) -> bool:
        """Whether it takes more than one call."""
        return len(self._plan.steps) > 1

    async def stream(self, sink: EventSink, make: MakeCall) -> bool:
        """Send the task's events; return whether the whole result came in time.

        Raises RequestError, and EndedByClient after the stream's proper end.
        """
        steps = self._plan.steps
        events = TaskEvents(
            sink,
            [step.unit for step in steps],
            [step.is_shown for step in steps],
            self._times.estimate(),
        )
        announcing = asyncio.create_task(_announce(events))
        try:
            for stage in range(len(self._plan.stages)):
                await self._stage(stage, events, make)
        except EndedByClient:
            await events.end()
            raise
        finally:
            announcing.cancel()
            # The client's absence is told by the calls, too.
            with contextlib.suppress(asyncio.CancelledError, RequestCancelled):
                await announcing
        return await self._finish(events)

    async def _stage(self, stage: int, events: TaskEvents, make: MakeCall) -> None:
        """Run the stage's calls side by side, all due when the stage is."""
        numbers = [n for n in self._plan.stages[stage] if not await self._skipped(n, events)]
        due = self._runtime.clock() + self._times.stage_budget_s(stage)
        answers = {n: sink.text for n, sink in self._sinks.items() if n not in self._problems}
        calls = {number: self._call(number, answers) for number in numbers}
        made = {number: await make(call, number, due, 0) for number, call in calls.items()}
        try:
            async with asyncio.TaskGroup() as group:
                for number, call in calls.items():
                    sink = StepSink(events, number, one_block=call.one_block)
                    self._sinks[number] = sink
                    asking = self._asking(call, number, due, made[number], make)
                    group.create_task(self._run(sink, asking, events, number))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed

    async def _skipped(self, number: int, events: TaskEvents) -> bool:
        """Return whether all that the step needs has failed; then it has failed, too."""
        needs = self._plan.steps[number].needs
        if not needs or not all(other in self._problems for other in needs):
            return False
        self._problems[number] = self._problems[needs[0]]
        await events.done(number)
        return True

    async def _run(self, sink: StepSink, ask: Ask, events: TaskEvents, number: int) -> None:
        async with self._gate:
            reason = await self._kept(sink, ask, events, number)
        if reason is not None:
            raise EndedByClient(reason)
        await events.done(number)

    async def _kept(
        self, sink: StepSink, ask: Ask, events: TaskEvents, number: int
    ) -> CancelReason | None:
        """Run the step, and keep its failure where the task has other steps.

        What a failed step has said is taken back. A failure that is not the step's own is raised.
        """
        try:
            reason = await self._tried(sink, ask)
            if reason is None and sink.problem is not None:
                raise unusable(sink.problem)
        except _OF_THE_WHOLE:
            raise
        except RequestError as error:
            if not self.is_several:
                raise
            self._problems[number] = error
            await events.restart(number)
            return None
        if reason is None:
            self._judge(sink, number)
        return reason

    def _judge(self, sink: StepSink, number: int) -> None:
        """Remember what is wrong with code that is part of the result nevertheless."""
        defect, limit = sink.defect, self._plan.steps[number].max_tokens
        error = defective(self._terms.task.task, defect, limit)
        if defect is not None and error is not None:
            self._defects[number] = error
            self._note(defect)

    async def _tried(self, sink: StepSink, ask: Ask) -> CancelReason | None:
        """Ask again where the replica failed, if the task has others."""
        try:
            return await sink.run(ask, self._note)
        except UpstreamFailed:
            if not self.is_several:
                raise
        await sink.begin_again()
        return await sink.run(ask, self._note)

    def _asking(
        self, planned: ModelCall, number: int, due: float, first: Call, make: MakeCall
    ) -> Ask:
        """Return what makes the call, the second time with a penalty on repetition."""
        asked = 0

        async def ask(sink: StepSink, again: bool) -> CancelReason | None:
            nonlocal asked
            asked += 1
            other = replace(planned, presence_penalty=_PENALTY) if again else planned
            remake: Remake = partial(make, other, number, due)
            call = self._as_of_now(first, number, due)
            if asked > 1:
                made = await remake(0)
                # What it superseded is gone; what has come since then is newer.
                call = replace(made, request=replace(made.request, supersede=False))
            request = call.request
            sink.on_enough = partial(self._end, request.id, request.origin.tenant)
            return await run_call(call, remake, self._runtime, sink)

        return ask

    def _as_of_now(self, call: Call, number: int, due: float) -> Call:
        """Return the call, due as before: at the gate it has not waited for a replica."""
        # Only the first makes older work obsolete: its siblings are of the same document.
        supersede = call.request.supersede and number == self._plan.stages[0][0]
        now = self._runtime.clock()
        target = Target(e2e_s=max(LEAST_BUDGET_S, due - now))
        request = replace(call.request, arrival=now, target=target, supersede=supersede)
        return replace(call, request=request)

    def _call(self, number: int, answers: dict[int, str]) -> ModelCall:
        step = self._plan.steps[number]
        call = replace(step.ask(answers), expected_tokens=step.expected_tokens)
        return call if self._takes_system_message else call.without_system_message()

    def _end(self, request_id: str, tenant: str) -> None:
        # It may have ended by itself at the same moment.
        with contextlib.suppress(NotFound):
            self._runtime.cancel(request_id, tenant, CancelReason.ENOUGH)

    def _note(self, problem: AnswerProblem) -> None:
        kind = self._terms.task.task.slo_class
        self._runtime.metrics.unusable_answers.labels(kind, problem).inc()

    async def _finish(self, events: TaskEvents) -> bool:
        answers = {n: sink.text for n, sink in self._sinks.items() if n not in self._problems}
        composed = self._plan.compose(answers)
        if not composed.text.strip() or not any(text.strip() for text in composed.units):
            first = next(iter(self._problems.values()), None)
            raise first or unusable(AnswerProblem.EMPTY)
        failed = failed_units(self._plan.steps, {**self._defects, **self._problems})
        elapsed_s = self._times.spent_s
        met = elapsed_s <= self._terms.budget_s and not (failed or self._problems)
        *_, last = self._sinks.values()
        await events.result(
            {
                "text": composed.text,
                "units": unit_results(self._terms.task, composed.units, failed),
                "finish_reason": last.finish_reason,
                "elapsed_ms": round(elapsed_s * 1e3, 1),
                "met": met,
            }
        )
        return met


async def _announce(events: TaskEvents) -> None:
    await asyncio.sleep(_SILENT_S)
    await events.announce()
