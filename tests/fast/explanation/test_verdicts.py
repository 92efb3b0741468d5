"""What `cato why` says of recorded timelines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cato_backend.explanation.text import as_json, lines_of
from cato_backend.explanation.timeline import AttemptEnding, TimePart, TimeUse, parts_of
from cato_backend.explanation.verdict import RequestEnding, ending_of, verdict_of
from cato_backend.requests import Share, Target
from cato_backend.scheduling import (
    AttemptFailed,
    Cancelled,
    Cause,
    Finished,
    Limits,
    LoadReported,
    OthersRunning,
    Progressed,
    Refusal,
    ReplicaAsleep,
    ReplicaDown,
    ReplicaDraining,
    ReplicaResumed,
    Submitted,
    Woke,
)
from cato_backend.scheduling.journal import OutcomeNote, PredictionNote
from cato_backend.wire.headers import Task
from tests.fast.explanation.recorded import Recorded
from tests.fast.scheduling.stories import request


def seconds_of(parts: list[TimePart]) -> dict[TimeUse, float]:
    return {part.use: pytest.approx(part.seconds) for part in parts}


def answered(recorded: Recorded, name: str, first: float, end: float, attempt: int = 1) -> None:
    """Its replica sends the first of three tokens at `first`, and the rest at `end`."""
    recorded.tell(Progressed(name, attempt, 1, 100, 30), first)
    recorded.tell(Progressed(name, attempt, 2), end)
    recorded.tell(Finished(name, attempt), end)


def test_a_request_in_time_is_not_called_late() -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("r1", arrival=1.0, ttft_s=1.0)), 1.0)
    recorded.note(PredictionNote("r1", 1, 0.2, 0.4, 0.2, 0.2), 1.0)
    answered(recorded, "r1", 1.25, 1.5)
    recorded.note(OutcomeNote("r1", "met"), 1.5)
    timeline = recorded.timeline("r1")
    verdict = verdict_of(timeline)
    assert verdict.ending is RequestEnding.MET
    assert verdict.cause is None
    assert verdict.sentence == (
        "It was not late: its first token came after 250 ms, the target is 1.0 s."
    )
    assert seconds_of(parts_of(timeline, 1.5)) == {
        TimeUse.PREFILL: 0.2, TimeUse.UNPREDICTED: 0.05, TimeUse.DECODING: 0.25,
    }  # fmt: skip
    assert (timeline.attempts[0].prompt_tokens, timeline.attempts[0].cached_tokens) == (100, 30)


def test_a_wait_in_the_queue_tells_who_was_ahead() -> None:
    recorded = Recorded()
    for name in ("first", "second"):
        recorded.tell(Submitted(request(name, arrival=1.0)), 1.0)
    late = replace(request("r1", arrival=1.1, ttft_s=0.5), task=Task.COMPLETION)
    recorded.tell(Submitted(late), 1.1)
    recorded.tell(Finished("first", 1), 2.0)
    recorded.tell(Finished("second", 1), 3.0)
    answered(recorded, "r1", 3.1, 3.2)
    timeline = recorded.timeline("r1")
    assert timeline.snapshot.waiting == {Task.GENERATION: 1}
    assert (timeline.snapshot.running, timeline.snapshot.slots, timeline.snapshot.replicas) == (
        1,
        1,
        1,
    )
    assert timeline.earlier_first == {Task.GENERATION: 1}
    assert seconds_of(parts_of(timeline, 3.1)) == {TimeUse.QUEUE: 1.9, TimeUse.ENGINE: 0.1}
    verdict = verdict_of(timeline)
    assert (verdict.ending, verdict.cause) == (RequestEnding.LATE, TimeUse.QUEUE)
    assert verdict.sentence == (
        "It was late: its first token came after 2.0 s, the target is 500 ms, because it waited "
        "1.9 s in the queue, where 1 other took precedence."
    )


def test_over_budget_is_named_as_the_reason_of_a_wait() -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("first", arrival=1.0)), 1.0)
    over = replace(request("r1", arrival=1.0, ttft_s=0.5), share=Share(over_budget=True))
    recorded.tell(Submitted(over), 1.0)
    recorded.tell(Submitted(request("newer", arrival=1.5, tenant="u")), 1.5)
    recorded.tell(Finished("first", 1), 2.0)
    recorded.tell(Finished("newer", 1), 3.0)
    answered(recorded, "r1", 3.1, 3.2)
    timeline = recorded.timeline("r1")
    assert timeline.later_first == {Task.GENERATION: 1}
    assert "behind all others, as the day's budget" in verdict_of(timeline).sentence
    assert any("over the budget of the day" in line for line in lines_of(timeline, "at 12:00"))


@pytest.mark.parametrize(
    ("note", "cause", "words"),
    [
        (
            PredictionNote("r1", 1, 0.9, 1.2, 0.9, 0.1),
            TimeUse.ENGINE_QUEUE,
            "delayed its first token",
        ),
        (
            PredictionNote("r1", 1, 0.1, 0.2, 0.1, 0.1),
            TimeUse.UNPREDICTED,
            "800 ms longer to the fir",
        ),
        (
            PredictionNote("r1", 1, 0.9, 1.2, 0.9, 0.9),
            TimeUse.PREFILL,
            "its own prompt took 900 ms",
        ),
    ],
)
def test_the_time_on_a_replica_is_divided_by_what_was_predicted(
    note: PredictionNote, cause: TimeUse, words: str
) -> None:
    recorded = Recorded(max_running=4)
    recorded.tell(LoadReported("a", 3, 2), 0.5)
    recorded.tell(OthersRunning("a", 2), 0.6)
    recorded.tell(Submitted(request("silent", arrival=0.9, prompt_tokens=700)), 0.9)
    recorded.tell(Submitted(request("r1", arrival=1.0, ttft_s=0.5)), 1.0)
    recorded.note(note, 1.0)
    recorded.tell(LoadReported("a", 4, 7), 1.2)
    answered(recorded, "r1", 1.9, 2.0)
    recorded.tell(LoadReported("a", 4, 9), 2.1)
    timeline = recorded.timeline("r1")
    verdict = verdict_of(timeline)
    assert verdict.cause is cause
    assert words in verdict.sentence
    found = timeline.attempts[0].snapshot
    assert (found.running, found.prefilling, found.prefill_tokens) == (1, 1, 700)
    assert (found.others, found.reported_waiting) == (2, 2)
    told = "while the engine's own queue held up to 7" in verdict.sentence
    assert told == (cause is not TimeUse.PREFILL)


def test_what_was_late_by_less_than_the_log_shows_has_a_cause_all_the_same() -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("r1", arrival=1.0, ttft_s=0.25)), 1.0)
    answered(recorded, "r1", 1.25, 1.3)
    recorded.note(OutcomeNote("r1", "late"), 1.3)
    verdict = verdict_of(recorded.timeline("r1"))
    assert (verdict.ending, verdict.cause) == (RequestEnding.LATE, TimeUse.ENGINE)
    assert "its first token came after 250 ms, the target is 250 ms" in verdict.sentence


def test_tokens_that_come_too_slowly_are_late_as_well() -> None:
    recorded = Recorded()
    slow = replace(request("r1", arrival=1.0), target=Target(ttft_s=1.0, tpot_s=0.05))
    recorded.tell(Submitted(slow), 1.0)
    answered(recorded, "r1", 1.1, 2.1)
    verdict = verdict_of(recorded.timeline("r1"))
    assert (verdict.ending, verdict.cause) == (RequestEnding.LATE, TimeUse.DECODING)
    assert "500.0 ms passed between two tokens in the mean, and the target is 50.0 ms" in (
        verdict.sentence
    )


def test_a_failed_attempt_and_its_move_are_told() -> None:
    recorded = Recorded(2)
    recorded.tell(Submitted(request("r1", arrival=1.0, ttft_s=0.1)), 1.0)
    recorded.tell(AttemptFailed("r1", 1), 1.06)
    recorded.note(PredictionNote("r1", 2, 0.07, 0.1, 0.07, 0.07), 1.06)
    answered(recorded, "r1", 1.13, 1.2, attempt=2)
    timeline = recorded.timeline("r1")
    assert [each.replica_id for each in timeline.attempts] == ["a", "b"]
    assert timeline.attempts[0].ending is AttemptEnding.ERROR
    verdict = verdict_of(timeline)
    assert verdict.cause is TimeUse.FAILED_ATTEMPT
    assert "an attempt failed after 60 ms, and another one had to follow" in verdict.sentence
    told = "\n".join(lines_of(timeline, "now"))
    assert "attempt 1: a, after 0 ms" in told
    assert "error after 60 ms" in told


def test_a_request_is_told_to_be_moved_from_a_replica_that_is_overdue() -> None:
    recorded = Recorded(2)
    recorded.tell(Submitted(request("r1", arrival=1.0, ttft_s=0.4)), 1.0)
    recorded.tell(LoadReported("a", 1, 0), 1.4)
    answered(recorded, "r1", 1.45, 1.6, attempt=2)
    timeline = recorded.timeline("r1")
    assert [each.ending for each in timeline.attempts] == [
        AttemptEnding.MOVED, AttemptEnding.FINISHED,
    ]  # fmt: skip
    assert verdict_of(timeline).cause is TimeUse.FAILED_ATTEMPT


def test_a_replica_that_dies_in_mid_answer_ends_only_its_attempt() -> None:
    recorded = Recorded(2)
    recorded.tell(Submitted(request("r1", arrival=1.0)), 1.0)
    recorded.tell(Progressed("r1", 1, 2), 1.5)
    recorded.tell(ReplicaDown("a"), 2.0)
    answered(recorded, "r1", 2.5, 2.6, attempt=2)
    timeline = recorded.timeline("r1")
    assert timeline.attempts[0].ending is AttemptEnding.REPLICA_DIED
    assert timeline.first_token_at == 1.5
    assert timeline.tokens == 5
    assert ending_of(timeline) is RequestEnding.MET


def test_a_newer_request_of_the_same_document_is_named() -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("r1~0", arrival=1.0, document="d")), 1.0)
    recorded.tell(Submitted(request("r2~0", arrival=1.2, document="d", supersede=True)), 1.2)
    recorded.note(OutcomeNote("r1~0", "superseded"), 1.2)
    recorded.tell(Cancelled("r1~0"), 1.2)
    timeline = recorded.timeline("r1")
    assert timeline.attempts[0].ending is AttemptEnding.WITHDRAWN
    assert verdict_of(timeline).sentence == (
        "A newer request of the same document (r2) took its place after 200 ms."
    )


def test_a_full_queue_refuses_by_name() -> None:
    recorded = Recorded(limits=Limits(max_waiting=1))
    for name in ("running", "waiting", "r1"):
        recorded.tell(Submitted(request(name, arrival=1.0)), 1.0)
    timeline = next(s for s in map(recorded.timeline, ("waiting", "r1")) if s.refusal)
    assert timeline.refusal is Refusal.OVERLOADED
    assert verdict_of(timeline).sentence == "It was refused after 0 ms: the queue was full."


def test_a_request_that_expires_tells_what_it_waited_for() -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("running", arrival=0.5)), 0.5)
    recorded.tell(Submitted(request("r1", arrival=1.0, ttft_s=0.5, worthless_after_s=2.0)), 1.0)
    recorded.tell(Woke(), 3.5)
    verdict = verdict_of(recorded.timeline("r1"))
    assert (verdict.ending, verdict.cause) == (RequestEnding.REFUSED, TimeUse.QUEUE)
    assert "of no use any more before a replica could start it" in verdict.sentence
    assert "while all 1 slots of its model were taken" in verdict.sentence


def test_a_request_that_woke_its_model_is_told_that_it_slept() -> None:
    recorded = Recorded()
    for event in (ReplicaDraining("a"), ReplicaAsleep("a")):
        recorded.tell(event)
    for name, arrival in (("r1", 1.0), ("r2", 6.0)):
        recorded.tell(Submitted(request(name, arrival=arrival, ttft_s=0.5)), arrival)
        recorded.tell(ReplicaResumed("a"), arrival + 3.0)
        answered(recorded, name, arrival + 3.1, arrival + 3.2)
    woke, found_awake = recorded.timeline("r1"), recorded.timeline("r2")
    assert (woke.snapshot.replicas, woke.snapshot.slots, woke.snapshot.asleep) == (0, 0, 1)
    assert "3.0 s in the queue, while its model slept and was woken." in verdict_of(woke).sentence
    assert any("1 asleep" in line for line in lines_of(woke, "now"))
    assert (found_awake.snapshot.replicas, found_awake.snapshot.asleep) == (1, 0)


def test_a_refusal_that_the_scheduler_did_not_make_has_its_code() -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("r1", arrival=1.0)), 1.0)
    recorded.note(OutcomeNote("r1", "context_length_exceeded"), 1.1)
    recorded.tell(Cancelled("r1"), 1.1)
    verdict = verdict_of(recorded.timeline("r1"))
    assert verdict.ending is RequestEnding.REFUSED
    assert verdict.sentence == "It was refused after 100 ms with context_length_exceeded."


@pytest.mark.parametrize("noted", [True, False])
def test_a_client_that_goes_away_is_told_apart_from_one_that_was_kept_waiting(
    noted: bool,
) -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("r1", arrival=1.0, ttft_s=1.0)), 1.0)
    recorded.tell(Submitted(request("r2", arrival=1.0, ttft_s=1.0)), 1.0)
    for name, now in (("r2", 1.5), ("r1", 2.5)):
        if noted:
            recorded.note(OutcomeNote(name, "cancelled"), now)
        recorded.tell(Cancelled(name), now)
    early, late = verdict_of(recorded.timeline("r2")), verdict_of(recorded.timeline("r1"))
    assert (early.ending, early.cause) == (RequestEnding.CANCELLED, None)
    assert early.sentence == "Its client gave it up after 500 ms, before the first token."
    assert (late.ending, late.cause) == (RequestEnding.CANCELLED, TimeUse.ENGINE)
    because = "; it was late by then, because its replica took 1.5 s to the first token."
    assert late.sentence.endswith(because)


def test_an_answer_of_which_its_client_has_enough() -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("r1", arrival=1.0, ttft_s=1.0)), 1.0)
    recorded.tell(Progressed("r1", 1, 4), 1.2)
    recorded.note(OutcomeNote("r1", "enough"), 1.6)
    recorded.tell(Cancelled("r1"), 1.6)
    verdict = verdict_of(recorded.timeline("r1"))
    assert verdict.ending is RequestEnding.ENOUGH
    assert "ended it after 600 ms" in verdict.sentence


def test_what_has_not_ended_is_told_where_it_is() -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("r1", arrival=1.0, ttft_s=1.0)), 1.0)
    recorded.tell(Submitted(request("r2", arrival=1.5, ttft_s=10.0)), 1.5)
    recorded.tell(OthersRunning("a", 1), 3.0)
    running, waiting = verdict_of(recorded.timeline("r1")), verdict_of(recorded.timeline("r2"))
    assert (running.ending, running.cause) == (RequestEnding.RUNNING, TimeUse.ENGINE)
    assert "a has it, 1.0 s after its deadline" in running.sentence
    assert (waiting.ending, waiting.cause) == (RequestEnding.WAITING, None)
    assert "8.5 s before its deadline" in waiting.sentence


def test_a_call_that_is_made_once_more_stays_one_story() -> None:
    recorded = Recorded()
    made = request("r1", arrival=1.0, ttft_s=1.0)
    recorded.tell(Submitted(made), 1.0)
    recorded.tell(Cancelled("r1"), 1.4)
    recorded.tell(Submitted(made), 1.4)
    answered(recorded, "r1", 1.6, 1.7)
    timeline = recorded.timeline("r1")
    assert ending_of(timeline) is RequestEnding.MET
    assert len(timeline.attempts) == 2


def test_an_id_that_is_used_twice_is_two_stories() -> None:
    recorded = Recorded()
    for start in (1.0, 2.0):
        recorded.tell(Submitted(request("r1~3", arrival=start)), start)
        answered(recorded, "r1~3", start + 0.1, start + 0.2)
    assert [timeline.request.arrival for timeline in recorded.timelines("r1")] == [1.0, 2.0]
    assert recorded.timelines("r") == []


def test_an_end_to_end_target_counts_the_whole_answer() -> None:
    recorded = Recorded()
    whole = replace(request("r1", arrival=1.0), target=Target(e2e_s=2.0))
    recorded.tell(Submitted(whole), 1.2)
    recorded.note(PredictionNote("r1", 1, 1.5, 2.0, 0.2, 0.2), 1.2)
    answered(recorded, "r1", 1.4, 4.0)
    timeline = recorded.timeline("r1")
    assert seconds_of(parts_of(timeline, 4.0)) == {
        TimeUse.RECEPTION: 0.2, TimeUse.PREFILL: 0.2, TimeUse.DECODING: 2.6,
    }  # fmt: skip
    assert verdict_of(timeline).sentence == (
        "It was late: its whole answer came after 3.0 s, the target is 2.0 s, because its tokens "
        "took 2.6 s to come."
    )


def test_the_parts_of_every_story_add_up_to_its_time() -> None:
    recorded = Recorded(2)
    recorded.tell(Submitted(request("r1", arrival=1.0)), 1.1)
    recorded.tell(Submitted(request("other", arrival=1.2)), 1.2)
    recorded.tell(AttemptFailed("r1", 1, cause=Cause.BUSY, retry_after_s=1.0), 2.0)
    recorded.tell(Finished("other", 1), 2.5)
    answered(recorded, "r1", 4.0, 5.0, attempt=2)
    timeline = recorded.timeline("r1")
    for until in (1.5, 2.2, 3.0, 4.5, 5.0):
        assert sum(part.seconds for part in parts_of(timeline, until)) == pytest.approx(until - 1.0)


def test_the_json_has_what_the_text_has() -> None:
    recorded = Recorded()
    recorded.tell(Submitted(request("r1~2", arrival=1.0, ttft_s=1.0)), 1.0)
    recorded.note(PredictionNote("r1~2", 1, 0.2, 0.4, 0.2, 0.1), 1.0)
    answered(recorded, "r1~2", 1.25, 1.5)
    told = as_json(recorded.timeline("r1"), 1_000_000.0)
    assert told["request_id"] == "r1"
    assert told["arrived_unix_s"] == 1_000_001.0
    assert told["class"] == "generation"
    assert told["fate"] == "met"
    assert told["first_token_s"] == pytest.approx(0.25)
    assert told["attempts"][0]["predicted"] == {
        "promised_s": 0.2, "bound_s": 0.4, "first_token_s": 0.2, "alone_s": 0.1,
    }  # fmt: skip
    assert [part["use"] for part in told["parts"]] == [
        "prefill", "engine_queue", "unpredicted", "decoding",
    ]  # fmt: skip
