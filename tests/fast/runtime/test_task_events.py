"""The events of a task whose calls run side by side."""

from __future__ import annotations

from cato_backend.runtime.calls import Started
from cato_backend.runtime.task_events import Estimate, TaskEvents
from cato_backend.wire.headers import Task
from cato_backend.wire.tasks import TaskEvent
from tests.fast.runtime.recorder import Recorder

STARTED = Started("id", Task.SUMMARIZATION, "replica", 0.0, None, 0.0)


def events_to(recorder: Recorder, shown: tuple[bool, ...] = (True, True)) -> TaskEvents:
    return TaskEvents(recorder, [0, 1, None][: len(shown)], shown, Estimate(1.5, 3.0))


async def test_a_later_step_s_text_waits_for_the_one_before() -> None:
    recorder = Recorder()
    events = events_to(recorder)
    await events.begin(STARTED)
    await events.delta(1, "two")
    await events.delta(0, "one")
    assert recorder.texts == [("one", 0)]
    await events.done(0)
    assert recorder.texts == [("one", 0), ("two", 1)]


async def test_what_is_not_shown_is_never_sent() -> None:
    recorder = Recorder()
    events = events_to(recorder, (False, True))
    await events.begin(STARTED)
    await events.delta(0, "hidden")
    await events.done(0)
    await events.delta(1, "shown")
    assert recorder.texts == [("shown", 1)]


async def test_a_restart_takes_back_one_step_alone() -> None:
    recorder = Recorder()
    events = events_to(recorder)
    await events.begin(STARTED)
    await events.delta(0, "one")
    await events.done(0)
    await events.delta(1, "nonsense")
    await events.restart(1)
    assert recorder.sent[-1] == (TaskEvent.RESTART, {"text": "one"})


async def test_the_estimate_is_announced_before_any_token_and_only_once() -> None:
    recorder = Recorder()
    events = events_to(recorder)
    await events.announce()
    await events.announce()
    await events.begin(STARTED)
    assert recorder.begun == [None]
    states = [value["state"] for _, value in recorder.sent]
    assert states == ["waiting", "running"]
    assert recorder.sent[0][1]["estimate_ms"] == 1500


async def test_a_result_without_any_token_begins_by_itself() -> None:
    recorder = Recorder()
    await events_to(recorder).result({"text": ""})
    assert recorder.begun == [None]
    assert recorder.ended == 1
