"""Every request of a simulated run is explained, and the explanation agrees with its outcome."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from cato_backend.explanation.timeline import AttemptEnding, RequestTimeline, parts_of
from cato_backend.explanation.timeline_reader import timelines_of
from cato_backend.explanation.verdict import RequestEnding, verdict_of
from cato_backend.scheduling import Decision, Event, Scheduler, Submitted, make_policy
from cato_backend.scheduling.journal import Entry
from cato_lab.scoring.outcome import Ending, Outcome
from cato_lab.simulation.fleet import Fleet
from cato_lab.simulation.simulator import Simulator
from cato_lab.workloads import DeveloperWorkload

ENDINGS = {
    Ending.FINISHED: {RequestEnding.MET, RequestEnding.LATE},
    Ending.CANCELLED: {RequestEnding.CANCELLED, RequestEnding.SUPERSEDED},
    Ending.REJECTED: {RequestEnding.REFUSED},
}


@pytest.fixture(scope="module")
def run() -> tuple[list[Entry], list[Outcome]]:
    """More developers than two replicas can serve; one replica dies, the other freezes."""
    entries: list[Entry] = []
    handle = Scheduler.handle

    def recorded(self: Scheduler, event: Event, now: float) -> list[Decision]:
        decisions = handle(self, event, now)
        entries.append(Entry(now, event, tuple(decisions)))
        return decisions

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scheduler, "handle", recorded)
        fleet = Fleet(replicas=2, kills=((4.0, 1),), freezes=((6.0, 7.0, 0),))
        workload = DeveloperWorkload(60, duration_s=8.0)
        found = Simulator(make_policy("cato"), fleet).run(workload, seed=1)
    return entries, found.outcomes


@pytest.fixture(scope="module")
def told(run: tuple[list[Entry], list[Outcome]]) -> list[tuple[RequestTimeline, Outcome]]:
    """The timeline of each request beside what the simulator saw of it."""
    entries, outcomes = run
    submitted = {entry.event.request.id for entry in entries if isinstance(entry.event, Submitted)}
    return [
        (timelines_of(entries, each.arrival.id)[0], each)
        for each in outcomes[::5]
        if each.arrival.id in submitted
    ]


def test_fates_and_times_agree_with_the_simulator(
    told: list[tuple[RequestTimeline, Outcome]],
) -> None:
    assert len(told) > 30
    for timeline, outcome in told:
        verdict = verdict_of(timeline)
        assert verdict.ending in ENDINGS[outcome.ending], (timeline.request.id, verdict)
        if outcome.ending is Ending.FINISHED:
            assert outcome.first_token_s is not None
            first = timeline.first_token_at
            assert first is not None
            assert first - timeline.request.arrival == pytest.approx(
                outcome.first_token_s, abs=1e-6
            )
            assert timeline.tokens == outcome.tokens


def test_the_time_of_each_is_divided_without_rest(
    told: list[tuple[RequestTimeline, Outcome]],
) -> None:
    for timeline, _ in told:
        end = timeline.ended_at
        assert end is not None
        total = sum(part.seconds for part in parts_of(timeline, end))
        assert total == pytest.approx(end - timeline.request.arrival, abs=0.005)
        assert all(part.seconds > 0 for part in parts_of(timeline, end))


def test_what_was_late_has_a_cause_and_a_sentence_that_names_it(
    told: list[tuple[RequestTimeline, Outcome]],
) -> None:
    causes = defaultdict[RequestEnding, Counter[str]](Counter)
    for timeline, _ in told:
        verdict = verdict_of(timeline)
        causes[verdict.ending][str(verdict.cause)] += 1
        assert verdict.sentence.endswith(".")
    assert causes[RequestEnding.LATE], "the fleet was not loaded enough for this test"
    assert "None" not in causes[RequestEnding.LATE]
    assert causes[RequestEnding.MET].keys() <= {"None"}


def test_a_replica_that_dies_is_seen_in_the_stories_of_its_requests(
    run: tuple[list[Entry], list[Outcome]],
) -> None:
    entries, outcomes = run
    endings = Counter(
        attempt.ending
        for outcome in outcomes
        if 3.5 < outcome.arrival.time < 4.0
        for timeline in timelines_of(entries, outcome.arrival.id)
        for attempt in timeline.attempts
    )
    assert endings[AttemptEnding.REPLICA_DIED] or endings[AttemptEnding.MOVED]
