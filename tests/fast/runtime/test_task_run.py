"""A whole task over a runtime whose answers are given."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from cato_backend.errors import UpstreamFailed
from cato_backend.http1.upstreams import Upstreams
from cato_backend.metrics import Metrics
from cato_backend.requests import Request, Target
from cato_backend.runtime.attempt import Attempts
from cato_backend.runtime.calls import ApiKind, Call, Sink, Started
from cato_backend.runtime.catalog import Catalog
from cato_backend.runtime.facts import ModelFacts
from cato_backend.runtime.runtime import Runtime
from cato_backend.runtime.task_run import TaskRun
from cato_backend.runtime.task_terms import TaskTerms, abilities_of
from cato_backend.scheduling import Scheduler, make_policy
from cato_backend.tasks.plans import ModelCall
from cato_backend.tasks.whole import plan
from cato_backend.wire.headers import CancelReason, Task
from cato_backend.wire.tasks import TaskEvent, TaskKind, TaskRequest, Unit
from tests.fast.runtime.recorder import Recorder

UNIT = Unit("f", "function", "def f(): pass")
LONG = Unit("g", "function", "def g():\n" + "    x = 1\n" * 1000)
MODEL = "coder-instruct"
BUDGET_S = 1000.0
SIDE_BY_SIDE = 16


class Answering(Runtime):
    """Answers each call with "Does it." when `answers` lets it."""

    def __init__(self) -> None:
        self.now = 0.0
        catalog = Catalog((), {})
        catalog.learn("r1", ModelFacts(MODEL, 2048, configured_instruct=True))
        scheduler = Scheduler(make_policy("round-robin"))
        attempts = Attempts(Upstreams())
        super().__init__(scheduler, catalog, attempts, Metrics(), lambda: self.now)
        self.asked: list[Request] = []
        self.failing: set[int] = set()
        """The steps that fail each time, with half of the text said."""
        self.is_full = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def run(self, call: Call, sink: Sink) -> CancelReason | None:
        self.asked.append(call.request)
        if len(self.asked) == SIDE_BY_SIDE:
            self.is_full.set()
        await self.answers.wait()
        await sink.begin(Started(call.request.id, call.request.task, "r1", 0.0, None, 0.0))
        if int(call.request.id) in self.failing:
            await sink.write(b'data: {"choices": [{"text": "Half"}]}\n\n')
            raise UpstreamFailed("the replica failed")
        chunk = {"choices": [{"text": "Does it.", "finish_reason": "stop"}]}
        await sink.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        return None

    async def make(self, planned: ModelCall, number: int, due: float, least_context: int) -> Call:
        target = Target(e2e_s=due - self.now)
        request = Request(
            str(number),
            Task.SUMMARIZATION,
            MODEL,
            self.now,
            target,
            1,
            planned.max_tokens,
            supersede=True,
        )
        return Call(request, ApiKind.CHAT, {})


def task_of(runtime: Runtime, *units: Unit, kind: TaskKind = TaskKind.EXPLANATION) -> TaskRun:
    task = TaskRequest(kind, "python", units, target_language="go")
    return TaskRun(runtime, TaskTerms(task, 0.0, BUDGET_S, MODEL))


async def test_the_time_at_the_gate_is_no_time_in_the_queue() -> None:
    runtime, recorder = Answering(), Recorder()
    runtime.answers.clear()
    running = asyncio.create_task(
        task_of(runtime, *[UNIT] * (SIDE_BY_SIDE + 1)).stream(recorder, runtime.make)
    )
    await runtime.is_full.wait()
    runtime.now = 100.0
    runtime.answers.set()
    assert await running
    first, *_, last = runtime.asked
    assert (first.arrival, last.arrival) == (0.0, 100.0)
    assert last.deadline == first.deadline


async def test_only_the_first_call_made_supersedes_what_is_older() -> None:
    """The second unit is translated first, for the first one uses it."""
    runtime, recorder = Answering(), Recorder()
    task = task_of(runtime, replace(UNIT, uses=(1,)), UNIT, UNIT, kind=TaskKind.TRANSLATION)
    assert await task.stream(recorder, runtime.make)
    assert [(request.id, request.supersede) for request in runtime.asked] == [
        ("1", True),
        ("2", False),
        ("0", False),
    ]


@pytest.mark.parametrize("kind", [TaskKind.SUMMARIZATION, TaskKind.DOCUMENTATION])
async def test_nothing_is_asked_about_parts_that_have_all_failed(kind: TaskKind) -> None:
    runtime, recorder = Answering(), Recorder()
    task = TaskRequest(kind, "python", (LONG, UNIT))
    (*parts, other), _ = plan(task, abilities_of(runtime.catalog, MODEL)).stages
    runtime.failing = set(parts)
    await task_of(runtime, LONG, UNIT, kind=kind).stream(recorder, runtime.make)
    assert {int(request.id) for request in runtime.asked} == {*parts, other}
    _, result = recorder.sent[-1]
    first, second = result["units"]
    assert (first["problem"]["code"], second["problem"]) == ("replica_failed", None)


async def test_what_a_failed_unit_has_said_is_taken_back() -> None:
    runtime, recorder = Answering(), Recorder()
    runtime.failing = {1}
    assert not await task_of(runtime, UNIT, UNIT).stream(recorder, runtime.make)
    said = [(event, value["text"]) for event, value in recorder.sent if "text" in value]
    (last, restart), (result, _) = said[-2:]
    assert (last, result) == (TaskEvent.RESTART, TaskEvent.RESULT)
    assert restart == "Does it."
    _, value = recorder.sent[-1]
    assert value["met"] is False
