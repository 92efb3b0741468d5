"""The completion service in one process, with a backend that answers what the test says."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from cato_backend.wire import headers
from cato_backend.wire.editor_calls import WARM_PATH
from cato_backend.wire.headers import CancelReason
from cato_lsp.backend.failures import Refused, Unreachable
from cato_lsp.decisions.classify import Action
from cato_lsp.session.session import Session
from cato_lsp.suggestions import outcomes
from cato_lsp.suggestions.finder import OTHERS
from cato_lsp.suggestions.questions import Question, Source, Suggestion
from cato_lsp.suggestions.service import completion_service
from cato_lsp.text import Encoding
from tests.fast.lsp.backend_in_process import Backend

URI = "file:///nowhere/a.py"
SETTINGS = {"completion": {"debounceMs": 0, "minConfidence": 0}}
SURE, UNSURE = -0.01, math.log(0.2)


class Editor:
    """One document that somebody types in at its end, and the service that suggests in it."""

    def __init__(self) -> None:
        self.session = Session(lambda status: None, None, warn=pytest.fail)
        self.backend = Backend()
        self.session.link.connection = self.backend.connection
        self.service = completion_service(self.session)
        self.configure(SETTINGS)

    def configure(self, settings: dict[str, Any]) -> None:
        assert self.session.configure(settings) == []

    def opens(self, text: str, uri: str = URI) -> None:
        self.session.open_document(types.TextDocumentItem(uri, "python", 1, text))

    def types(self, text: str) -> None:
        snapshot = self.session.documents.snapshot(URI)
        assert snapshot is not None
        place = snapshot.position(len(snapshot.text), Encoding.UTF16)
        end = types.Position(place.line, place.character)
        self.session.change_document(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(snapshot.version + 1, URI),
                [types.TextDocumentContentChangePartial(types.Range(end, end), text)],
            )
        )

    def asks(self, action: Action = Action.AUTOMATIC_COMPLETION) -> asyncio.Task[list[Suggestion]]:
        snapshot = self.session.documents.snapshot(URI)
        assert snapshot is not None
        question = Question(snapshot, len(snapshot.text), action, time.perf_counter())
        return asyncio.create_task(self.service.suggest(question))

    async def rests(self) -> None:
        """Returns when nothing runs in the background any more."""
        while running := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(running)

    async def is_suggested(self, action: Action = Action.AUTOMATIC_COMPLETION) -> list[str]:
        return [suggestion.text for suggestion in await self.asks(action)]


@pytest.fixture
async def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Editor]:
    monkeypatch.setenv("CATO_STATE_DIR", str(tmp_path))
    editor = Editor()
    yield editor
    await editor.session.close()


# -- suggest ---------------------------------------------------------------------------------------


async def test_an_answer_is_suggested_up_to_the_end_of_its_statement(editor: Editor) -> None:
    editor.opens("def add(a, b):\n    c = 1\n    return ")
    editor.backend.answer().says("a", " + b", "\n", "print(1)\n")
    (suggestion,) = await editor.asks()
    assert (suggestion.text, suggestion.source) == ("a + b", Source.ASKED)
    # The statement is over: nothing of what follows is waited for.
    assert editor.backend.answer().cancelled is CancelReason.ENOUGH
    (call,) = editor.backend.calls
    assert suggestion.request_id == call.request_id
    assert call.body["prompt"].endswith("return ")
    assert call.headers[headers.SUPERSEDE] == "1"
    assert 1 <= int(call.headers[headers.SLO_TTFT_MS]) <= 250
    assert editor.session.status().load == 0.25


async def test_nothing_is_asked_inside_a_word(editor: Editor) -> None:
    editor.opens("value = number")
    snapshot = editor.session.documents.snapshot(URI)
    assert snapshot is not None
    inside = Question(snapshot, 10, Action.AUTOMATIC_COMPLETION, time.perf_counter())
    assert await editor.service.suggest(inside) == []
    assert editor.backend.calls == []


async def test_nothing_is_suggested_without_a_backend(editor: Editor) -> None:
    editor.session.link.connection = None
    editor.opens("x = ")
    assert await editor.is_suggested() == []


async def test_a_suggestion_for_a_text_that_has_changed_meanwhile_is_not_shown(
    editor: Editor,
) -> None:
    editor.opens("x = ")
    asking = editor.asks()
    await editor.backend.asked()
    editor.types("1")
    editor.backend.answer().says("1", "2", "\n")
    assert await asking == []
    assert editor.session.counts.shown == 0


async def test_who_asks_for_more_gets_further_candidates(editor: Editor) -> None:
    editor.opens("x = ")
    editor.backend.answer(0).says("1", "\n")
    editor.backend.answer(1).says("2", "\n")
    editor.backend.answer(2).says("1", "\n")
    assert await editor.is_suggested() == ["1"]
    assert await editor.is_suggested(Action.INVOKED_COMPLETION) == ["1", "2"]
    temperatures = [call.body["temperature"] for call in editor.backend.calls]
    assert temperatures[0] == 0.0
    assert min(temperatures[1:]) > 0


# -- reuse -----------------------------------------------------------------------------------------


async def test_what_is_typed_along_with_an_answer_is_not_asked_again(editor: Editor) -> None:
    editor.opens("x = ")
    editor.backend.answer().says("number", " + 1", "\n")
    assert await editor.is_suggested() == ["number + 1"]
    editor.types("num")
    (suggestion,) = await editor.asks()
    assert (suggestion.text, suggestion.source) == ("ber + 1", Source.CACHE)
    assert len(editor.backend.calls) == editor.session.usage.from_cache == 1


async def test_what_is_typed_along_with_a_stream_is_answered_from_it(editor: Editor) -> None:
    editor.opens("x = ")
    first = editor.asks()
    await editor.backend.asked()
    editor.backend.answer().says("num")
    first.cancel()
    editor.types("nu")
    second = editor.asks()
    # It begins to wait for the stream before that goes on.
    await asyncio.sleep(0)
    editor.backend.answer().says("ber", "\n")
    (suggestion,) = await second
    assert (suggestion.text, suggestion.source) == ("mber", Source.STREAM)
    assert len(editor.backend.calls) == editor.session.usage.from_stream == 1


async def test_what_is_typed_instead_of_an_answer_is_asked_for(editor: Editor) -> None:
    editor.opens("x = ")
    editor.backend.answer(0).says("number", "\n")
    editor.backend.answer(1).says(" + 2", "\n")
    assert await editor.is_suggested() == ["number"]
    editor.types("other")
    assert await editor.is_suggested() == [" + 2"]


async def test_an_answer_is_not_reused_for_more_lines_than_it_was_read_to(editor: Editor) -> None:
    editor.configure({"completion": {**SETTINGS["completion"], "maxLines": 1}})
    editor.opens("def f():\n    ")
    editor.backend.answer(0).says("a = 1", "\n", "    b = 2", "\n")
    editor.backend.answer(1).says("a = 1", "\n", "    b = 2", "\n\n\n")
    assert await editor.is_suggested() == ["a = 1"]
    editor.configure(SETTINGS)
    assert await editor.is_suggested() == ["a = 1\n    b = 2"]


# -- cancelled -------------------------------------------------------------------------------------


async def test_a_stream_that_says_something_else_than_is_typed_is_cancelled(
    editor: Editor,
) -> None:
    editor.opens("x = ")
    asking = editor.asks()
    await editor.backend.asked()
    asking.cancel()
    editor.backend.answer().says("number")
    editor.types("other")
    await asyncio.wait([asking])
    assert asking.cancelled()
    # Where it had not said anything yet, it ends with its first token.
    again = editor.asks()
    await editor.backend.asked(2)
    assert editor.backend.answer(0).cancelled is CancelReason.TYPED
    again.cancel()


async def test_closing_the_document_cancels_its_streams(editor: Editor) -> None:
    editor.opens("x = ")
    asking = editor.asks()
    await editor.backend.asked()
    editor.session.close_document(URI)
    assert editor.backend.answer().cancelled is CancelReason.CLOSED
    assert await asking == []


async def test_switching_completion_off_cancels_its_streams(editor: Editor) -> None:
    editor.opens("x = ")
    asking = editor.asks()
    await editor.backend.asked()
    editor.configure({"completion": {**SETTINGS["completion"], "enabled": False}})
    assert editor.backend.answer().cancelled is CancelReason.CLOSED
    assert await asking == []


async def test_an_answer_that_takes_too_long_is_given_up(editor: Editor) -> None:
    editor.configure({"completion": {**SETTINGS["completion"], "timeoutMs": 100}})
    editor.opens("x = ")
    assert await editor.is_suggested() == []
    assert editor.backend.answer().cancelled is CancelReason.CLOSED


# -- focus -----------------------------------------------------------------------------------------


async def test_focus_warms_a_document_once(editor: Editor) -> None:
    editor.opens("x = 1\ny = ")
    editor.service.focus(URI, None)
    await editor.rests()
    editor.service.focus(URI, None)
    await editor.rests()
    assert editor.backend.posts == [WARM_PATH]
    assert editor.session.usage.warmed == 1


async def test_a_backend_that_cannot_warm_is_not_asked_to_again(editor: Editor) -> None:
    editor.backend.status = 404
    for name in ("a", "b"):
        uri = f"file:///nowhere/{name}.py"
        editor.opens("x = 1\n", uri)
        editor.service.focus(uri, None)
        await editor.rests()
    assert editor.backend.posts == [WARM_PATH]


async def test_a_document_in_which_nothing_is_wanted_is_not_warmed(editor: Editor) -> None:
    editor.configure({"languages": {"python": {"enabled": False}}})
    editor.opens("x = 1\n")
    editor.service.focus(URI, None)
    await editor.rests()
    assert editor.backend.posts == []


# -- accepted --------------------------------------------------------------------------------------


async def test_the_next_suggestion_is_asked_for_behind_an_accepted_one(editor: Editor) -> None:
    editor.opens("x = ")
    editor.backend.answer(0).says("1", "\n")
    editor.backend.answer(1).says("\n", "y = 2", "\n")
    (suggestion,) = await editor.asks()
    editor.types(suggestion.text)
    editor.service.accepted(suggestion.request_id)
    ahead = await editor.backend.asked(2)
    assert ahead.body["prompt"].endswith("x = 1")
    assert ahead.headers[headers.SLO_TTFT_MS] == "2000"
    assert headers.SUPERSEDE not in ahead.headers
    editor.types("\n")
    assert await editor.is_suggested() == ["y = 2"]
    assert len(editor.backend.calls) == 2
    status = editor.session.status()
    assert (status.acceptance, status.accepted_characters) == (0.5, 1)


async def test_what_became_of_a_suggestion_is_stored_without_its_text(editor: Editor) -> None:
    editor.opens("x = ")
    editor.backend.answer().says("secret", "\n")
    (suggestion,) = await editor.asks()
    editor.service.did_show(suggestion.request_id)
    editor.service.partially_accepted(suggestion.request_id, 3)
    await editor.session.close()
    # The events are written in threads, in any order.
    await editor.rests()
    events = list(outcomes.events())
    told = {str(event["event"]): event for event in events}
    assert set(told) == {"shown", "partially_accepted", "usage"}
    assert told["partially_accepted"]["accepted_chars"] == 3
    assert told["usage"]["asked"] == 1
    assert "secret" not in str(events)


async def test_nothing_follows_from_the_acceptance_of_an_unknown_suggestion(
    editor: Editor,
) -> None:
    editor.opens("x = ")
    editor.service.accepted("unknown")
    assert (editor.backend.calls, editor.session.counts.taken) == ([], 0)


# -- the backend refuses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        Refused("queue full", status=503),
        Unreachable("it broke off"),
    ],
)
async def test_a_failure_is_no_suggestion_and_is_asked_again(
    editor: Editor, failure: Refused | Unreachable
) -> None:
    editor.opens("x = ")
    editor.backend.answer(0).fails(failure)
    editor.backend.answer(1).says("1", "\n")
    assert await editor.is_suggested() == []
    assert await editor.is_suggested() == ["1"]


async def test_a_backend_that_tells_no_log_probabilities_is_asked_without(editor: Editor) -> None:
    editor.configure({"completion": {"debounceMs": 0, "minConfidence": 0.5}})
    editor.opens("x = ")
    editor.backend.answer(0).fails(Refused("logprobs are not supported", status=400))
    editor.backend.answer(1).says("1", "\n")
    assert await editor.is_suggested() == ["1"]
    assert ["logprobs" in call.body for call in editor.backend.calls] == [True, False]


# -- low confidence --------------------------------------------------------------------------------


async def test_a_suggestion_ends_before_what_is_unlikely_to_be_right(editor: Editor) -> None:
    editor.configure({"completion": {"debounceMs": 0, "minConfidence": 0.5}})
    editor.opens("x = ")
    editor.backend.answer().says("number", logprob=SURE).says(" + 1", "\n", logprob=UNSURE)
    (suggestion,) = await editor.asks()
    assert suggestion.text == "number"
    assert suggestion.confidence == pytest.approx(math.exp(SURE))


async def test_an_unlikely_answer_is_shown_on_request(
    editor: Editor,
) -> None:
    editor.configure({"completion": {"debounceMs": 0, "minConfidence": 0.5}})
    editor.opens("x = ")
    editor.backend.answer(0).says("number", "\n", logprob=UNSURE)
    editor.backend.answer(1).says("number", "\n", logprob=UNSURE)
    assert await editor.is_suggested() == []
    assert await editor.is_suggested(Action.INVOKED_COMPLETION) == ["number"]


# -- the display gate ------------------------------------------------------------------------------


async def test_what_the_person_is_unlikely_to_accept_is_hidden(editor: Editor) -> None:
    for number in range(100):
        event = {"event": "rejected", "request_id": str(number), "shown_chars": 6, "lines": 1}
        outcomes.append({**event, "language": "python", "begins_line": False})
    editor.configure({"completion": {**SETTINGS["completion"], "minAcceptProbability": 0.5}})
    editor.opens("x = ")
    editor.backend.answer(0).says("number", "\n")
    editor.backend.answer(1).says("number", "\n")
    # The first one is shown while the history is read.
    assert await editor.is_suggested() == ["number"]
    await editor.rests()
    editor.types("other\ny = ")
    assert await editor.is_suggested() == []
    assert len(editor.backend.calls) == 2


# -- an engine that does not tell how sure it is ---------------------------------------------------


async def untold(editor: Editor) -> None:
    """Asks once, so that it is known that the engine tells nothing."""
    editor.configure({"completion": {"debounceMs": 0}})
    editor.opens("x = ")
    editor.backend.answer(0).says("a", "\n").stops()
    await editor.asks()
    await editor.rests()
    editor.types("b\ny = ")


async def test_what_further_answers_do_not_say_is_not_shown(editor: Editor) -> None:
    await untold(editor)
    editor.backend.answer(1).says("total", " * ", "count", "\n").stops()
    editor.backend.answer(2).answers_say("total * count\n", "total + 1\n", "total - 1\n").stops()
    assert await editor.is_suggested() == ["total"]
    first, further = editor.backend.calls[1:]
    assert (first.body.get("n"), first.body["temperature"]) == (None, 0.0)
    assert (further.body["n"], further.body["temperature"]) == (OTHERS, 1.0)
    assert headers.SUPERSEDE not in further.headers
    assert (headers.COMPARED in first.headers, further.headers[headers.COMPARED]) == (False, "1")


async def test_what_further_answers_say_as_well_is_shown(editor: Editor) -> None:
    await untold(editor)
    editor.backend.answer(1).says("total", " * ", "count", "\n").stops()
    editor.backend.answer(2).answers_say(*["total * count\n"] * OTHERS).stops()
    assert await editor.is_suggested() == ["total * count"]


async def test_further_answers_end_with_the_one_that_is_shown(editor: Editor) -> None:
    await untold(editor)
    editor.backend.answer(1).says("total", "\n").stops()
    editor.backend.answer(2).answers_say("total\nx", "total\ny", "total\n")
    assert await editor.is_suggested() == ["total"]
    await editor.rests()
    assert editor.backend.answer(2).cancelled is CancelReason.ENOUGH


async def test_a_server_that_gives_one_further_answer_is_not_waited_for(editor: Editor) -> None:
    await untold(editor)
    editor.backend.answer(1).says("total", "\n").stops()
    editor.backend.answer(2).says("total", "\nx = this is longer than needed")
    assert await editor.is_suggested() == ["total"]
    await editor.rests()
    assert editor.backend.answer(2).cancelled is CancelReason.ENOUGH


async def test_further_answers_that_fail_lose_nothing(editor: Editor) -> None:
    await untold(editor)
    editor.backend.answer(1).says("total", "\n").stops()
    editor.backend.answer(2).fails(Unreachable("it broke off"))
    assert await editor.is_suggested() == ["total"]
    editor.types("b\nz = ")
    editor.backend.answer(3).says("count", "\n").stops()
    editor.backend.answer(4).answers_say(*["count\n"] * OTHERS).stops()
    assert await editor.is_suggested() == ["count"]


async def test_a_server_that_refuses_further_answers_is_not_asked_for_them_again(
    editor: Editor,
) -> None:
    await untold(editor)
    editor.backend.answer(1).says("total", "\n").stops()
    editor.backend.answer(2).fails(Refused("n must be 1", status=400))
    assert await editor.is_suggested() == ["total"]
    await editor.rests()
    editor.types("b\nz = ")
    editor.backend.answer(3).says("count", "\n").stops()
    assert await editor.is_suggested() == ["count"]
    assert [call.body.get("n") for call in editor.backend.calls] == [None, None, OTHERS, None]


async def test_no_further_answers_are_requested_when_everything_is_shown(
    editor: Editor,
) -> None:
    await untold(editor)
    editor.configure(SETTINGS)
    editor.backend.answer(1).says("total", "\n").stops()
    assert await editor.is_suggested() == ["total"]
    assert len(editor.backend.calls) == 2


# -- what was not taken ----------------------------------------------------------------------------


async def test_what_a_person_did_not_take_while_they_rested_is_shown_as_far_as_it_is_sure(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.configure({"completion": {"debounceMs": 0, "minConfidence": 0.6}})
    editor.opens("x = ")
    answer = editor.backend.answer(0)
    answer.says("total", logprob=SURE).says(" + 1", logprob=math.log(0.7)).says("\n", logprob=SURE)
    assert await editor.is_suggested() == ["total + 1"]
    monkeypatch.setattr(editor.session.rhythm, "key", lambda now_s: None)
    editor.session.rhythm.gap_s = 0.2
    editor.types("t")
    assert await editor.is_suggested() == ["otal + 1"]
    editor.session.rhythm.gap_s = 1.5
    editor.types("o")
    assert await editor.is_suggested() == ["tal"]
