"""What becomes of suggestions, and what is made of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cato_backend.wire.editor_calls import Feedback, FeedbackEvent
from cato_backend.wire.headers import Task
from cato_lsp.commands.stats import stats_of
from cato_lsp.session.status import SuggestionCounts, Usage
from cato_lsp.suggestions import feedback, outcomes
from cato_lsp.suggestions.feedback import FeedbackLedger
from cato_lsp.suggestions.questions import Source, Suggestion
from cato_lsp.syntax import open_document

URI = "file:///a.py"


class Person:
    """A document, and what is told of the suggestions in it."""

    def __init__(self, text: str = "x = ") -> None:
        self.snapshot = open_document(URI, "python", 1, text).snapshot()
        self.told: list[tuple[str, str]] = []
        self.events: list[dict[str, Any]] = []
        self.counts = SuggestionCounts()
        self.ledger = FeedbackLedger(lambda _uri: self.snapshot, self._tell, self.counts)

    def types(self, text: str) -> None:
        self.snapshot = open_document(URI, "python", 2, self.snapshot.text + text).snapshot()

    def is_answered(self, text: str, request_id: str, *, first: bool = True) -> None:
        one = Suggestion(text, request_id, Task.COMPLETION, Source.ASKED, 120.0)
        self.ledger.answered(one, self.snapshot, len(self.snapshot.text), first=first)

    def _tell(self, told: Feedback, more: dict[str, object]) -> None:
        self.told.append((told.event.value, told.request_id))
        self.events.append({**told.body(), **more})


def test_a_suggestion_that_gives_way_to_another_was_rejected() -> None:
    person = Person()
    person.is_answered("1", "a")
    person.types("y")
    person.is_answered(" + 2", "b")
    assert person.told == [("shown", "a"), ("rejected", "a"), ("shown", "b")]


def test_a_suggestion_is_shown_once_while_it_is_typed_and_not_rejected_after() -> None:
    person = Person()
    person.is_answered("12", "a")
    person.types("1")
    person.is_answered("2", "a")
    person.types("2")
    person.is_answered(" + 3", "b")
    assert person.told == [("shown", "a"), ("shown", "b")]


async def test_an_acceptance_is_told_with_its_length_and_never_its_text() -> None:
    person = Person()
    person.is_answered("secret_name", "a")
    person.ledger.accepted("a")
    person.ledger.close()
    assert person.told == [("shown", "a"), ("accepted", "a")]
    assert person.events[-1]["accepted_chars"] == 11
    assert "secret" not in str(person.events)


def test_an_editor_that_tells_what_it_shows_is_believed() -> None:
    person = Person()
    person.is_answered("1", "a")
    person.ledger.did_show("a")
    person.types("y")
    person.is_answered("2", "b")
    assert person.told == [("shown", "a")]
    person.ledger.did_show("b")
    assert person.told[1:] == [("rejected", "a"), ("shown", "b")]


def test_what_is_left_of_a_suggestion_is_told_while_it_is_typed_along() -> None:
    person = Person("def f():")
    person.is_answered("\n    x = 1\n    return x", "a")

    def left() -> str:
        return person.ledger.left("a", person.snapshot, len(person.snapshot.text))

    person.types("\n    x =")
    assert left() == " 1\n    return x"
    person.types(" 2")
    assert left() == ""
    assert person.ledger.left("unknown", person.snapshot, 0) == ""


async def test_a_further_candidate_counts_once_it_is_accepted() -> None:
    person = Person()
    person.is_answered("1", "a")
    person.is_answered("2", "b", first=False)
    person.is_answered("3", "c", first=False)
    person.ledger.accepted("b")
    person.ledger.close()
    assert person.told == [("shown", "a"), ("rejected", "a"), ("shown", "b"), ("accepted", "b")]


async def test_the_acceptance_counts_a_suggestion_once() -> None:
    person = Person()
    assert person.counts.acceptance is None
    person.is_answered("one two", "a")
    person.ledger.partially_accepted("a", 3)
    person.ledger.accepted("a")
    person.types("y")
    person.is_answered("2", "b")
    person.ledger.close()
    assert person.counts.acceptance == 0.5


@pytest.mark.parametrize(
    ("accepted_chars", "edited", "kept"),
    [
        (22, "x = total = a + b\n    return a\n", True),
        (22, "x = nothing\n", False),
        # In part: the rest was never taken.
        (9, "x = total = a, b\n", True),
        (9, "x = a, b\n", False),
    ],
)
async def test_it_is_looked_whether_what_was_accepted_is_still_there(
    monkeypatch: pytest.MonkeyPatch, accepted_chars: int, edited: str, kept: bool
) -> None:
    monkeypatch.setattr(
        feedback, "KEPT", ((0.0, FeedbackEvent.KEPT_30S), (0.01, FeedbackEvent.KEPT_5MIN))
    )
    text, person = "total = a + b\nreturn a", Person()
    person.is_answered(text, "a")
    if accepted_chars < len(text):
        person.ledger.partially_accepted("a", accepted_chars)
    else:
        person.ledger.accepted("a")
    person.snapshot = open_document(URI, "python", 3, edited).snapshot()
    looked_twice = asyncio.Event()
    asyncio.get_running_loop().call_later(0.02, looked_twice.set)
    await looked_twice.wait()
    found = [event for event, _ in person.told if event.startswith("kept")]
    assert found == (["kept_30s", "kept_5min"] if kept else [])


def test_nothing_is_told_of_what_was_never_answered() -> None:
    person = Person()
    assert person.ledger.accepted("unknown") is None
    person.ledger.partially_accepted("unknown", 3)
    assert person.told == []


def test_stored_events_are_read_back_and_summed_up(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))
    usage = Usage(asked=4, from_cache=9, from_stream=3)
    usage.tell(
        {
            "prompt_tokens": 100,
            "completion_tokens": 9,
            "prompt_tokens_details": {"cached_tokens": 80},
        }
    )
    for number in range(4):
        request = {"request_id": str(number), "language": "python", "latency_ms": 100 + number}
        outcomes.append({"event": "shown", **request})
    outcomes.append({"event": "partially_accepted", "request_id": "0", "accepted_chars": 4})
    outcomes.append({"event": "accepted", "request_id": "0", "accepted_chars": 9})
    outcomes.append({"event": "usage", "session": "s", "asked": 1})
    outcomes.append({"event": "usage", "session": "s", **usage.body()})
    with outcomes.history_path().open("a") as file:
        file.write("no json\n")
    stats = stats_of(list(outcomes.events()))
    assert (stats.shown, stats.accepted, stats.partially_accepted) == (4, 1, 0)
    assert stats.acceptance == 0.25
    assert stats.accepted_characters == 9
    assert stats.latency_p50_ms == 102
    assert (stats.asked, stats.reused) == (4, 12)
    assert stats.prefix_hit_rate == 0.8
    assert stats.tokens_saved == usage.tokens_saved == 1200
    assert outcomes.history_path().stat().st_mode & 0o077 == 0


def test_the_store_stays_small(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(outcomes, "LARGEST", 100)
    for number in range(10):
        outcomes.append({"event": "shown", "request_id": str(number), "padding": "x" * 60})
    kept = [event["request_id"] for event in outcomes.events()]
    assert kept[-1] == "9"
    assert 2 <= len(kept) <= 4


def test_usage_counts_only_what_the_engine_told() -> None:
    usage = Usage()
    for told in ({}, {"prompt_tokens": 3}, {"prompt_tokens": 3, "prompt_tokens_details": None}):
        usage.tell(told)
    assert usage.told == 0
    assert usage.prefix_hit_rate is None
    assert usage.tokens_saved is None
