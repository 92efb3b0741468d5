"""What is found and not shown: for doubt, for what the person did before, for now."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest

from cato_lab.emulator import Emulator
from tests.contract.lsp.backends import asked, gateway
from tests.contract.lsp.editor import Editor, text_of
from tests.contract.lsp.launching import Launcher

TEXT = "def add(first, second):\n    return "
DOUBTFUL = {"second": math.log(0.5), "seco": math.log(0.5)}


async def opened(launch: Launcher, fake: Emulator, **completion: Any) -> Editor:
    await fake.change(reply="first + second\n")
    settings = {"backend": {"url": fake.url}, "completion": {"minConfidence": 0.8, **completion}}
    editor = await launch.editor(settings=settings)
    editor.open(TEXT)
    return editor


async def test_a_suggestion_ends_before_what_the_engine_doubts(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await opened(launch, fake)
    await fake.change(logprobs=DOUBTFUL)
    assert text_of(await editor.inline(1, 11, automatic=True)) == "first +"
    assert fake.requests[-1].body["logprobs"] == 0
    editor.type("first + s", 1, 11, 2)
    assert text_of(await editor.inline(1, 20, automatic=True)) == "econd"
    assert len(fake.requests) == 1


async def test_a_requested_completion_is_shown_whole(launch: Launcher, fake: Emulator) -> None:
    editor = await opened(launch, fake)
    await fake.change(logprobs={"seco": math.log(0.01)})
    assert text_of(await editor.inline(1, 11, automatic=True)) == "first +"
    await fake.wait_until(lambda state: state.running == 0)
    # An unlikely text was not read on, so that it has to be asked for again.
    assert text_of(await editor.inline(1, 11)) == "first + second"
    assert [request.body.get("logprobs") for request in fake.requests] == [0, None]


async def test_doubts_can_be_switched_off(launch: Launcher, fake: Emulator) -> None:
    editor = await opened(launch, fake, minConfidence=0)
    await fake.change(logprobs=DOUBTFUL)
    assert text_of(await editor.inline(1, 11, automatic=True)) == "first + second"
    assert "logprobs" not in fake.requests[-1].body


async def test_a_backend_that_refuses_to_tell_is_not_asked_again(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await opened(launch, fake)
    await fake.change(takes_logprobs=False)
    assert text_of(await editor.inline(1, 11, automatic=True)) == "first + second"
    editor.type("\n    return ", 1, 11, 2)
    # How sure it is is estimated now, by nothing but the length.
    assert text_of(await editor.inline(2, 11, automatic=True)) in ("first +", "first + second")
    first, *later = [request.body.get("logprobs") for request in fake.requests]
    assert (first, set(later)) == (0, {None})


@pytest.mark.parametrize("itl_ms", [0, 150])
async def test_an_answer_goes_on_behind_a_statement_where_the_engine_tells_how_sure_it_is(
    launch: Launcher, fake: Emulator, itl_ms: int
) -> None:
    settings = {"backend": {"url": fake.url}}
    editor = await launch.editor(settings=settings)
    await fake.change(document=TEXT + "first\n\n\nprint(1)\nprint(2)\n")
    editor.open(TEXT)
    # Before the first answer it is not known whether the engine tells it.
    assert text_of(await editor.inline(1, 11, automatic=True)) == "first"
    await fake.change(itl_ms=itl_ms)
    editor.type("first\n\n\np", 1, 11, 2)
    # What is not there after a quarter of a second is shown to who asks again.
    assert str(text_of(await editor.inline(4, 1, automatic=True))).startswith("rint(1)")
    await fake.wait_until(lambda state: state.running == 0)
    assert text_of(await editor.inline(4, 1, automatic=True)) == "rint(1)\nprint(2)"


async def test_without_log_probabilities_it_goes_on_as_far_as_further_answers_say_the_same(
    launch: Launcher, fake: Emulator, tmp_path: Path
) -> None:
    async with gateway(fake, tmp_path) as url:
        editor = await launch.editor(settings={"backend": {"url": url}})
        await fake.change(tells_logprobs=False)
        await fake.change(document=TEXT + "first\n\n\nprint(1)\nprint(2)\n")
        editor.open(TEXT)
        assert text_of(await editor.inline(1, 11, automatic=True)) == "first"
        editor.type("first\n\n\np", 1, 11, 2)
        # What is not there after a quarter of a second is shown to who asks again.
        assert str(text_of(await editor.inline(4, 1, automatic=True))).startswith("rint(1)")
        await fake.wait_until(lambda state: state.running == 0)
        assert text_of(await editor.inline(4, 1, automatic=True)) == "rint(1)\nprint(2)"
        first, *later = [request.body.get("logprobs") for request in asked(fake)]
        assert (first, set(later)) == (0, {None})
        assert sorted(request.body.get("n", 1) for request in asked(fake)) == [1, 1, 3]


async def test_a_server_other_than_cato_is_asked_for_one_answer_at_a_time(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await opened(launch, fake)
    await fake.change(tells_logprobs=False)
    for line, text in enumerate(("\n    return ", "\n    return "), 1):
        assert text_of(await editor.inline(line, 11, automatic=True))
        editor.type(text, line, 11, line + 1)
    assert {request.body.get("n", 1) for request in fake.requests} == {1}


async def test_an_answer_for_what_stood_there_before_is_not_given(
    launch: Launcher, fake: Emulator
) -> None:
    """Neovim takes nothing back, and shows what it gets."""
    await fake.change(ttft_ms=200)
    editor = await opened(launch, fake)
    first = editor.inline(1, 11, automatic=True)
    await fake.wait_until(lambda state: len(state.requests) == 1)
    editor.type("f", 1, 11, 2)
    assert await first is None
    assert text_of(await editor.inline(1, 12, automatic=True)) == "irst + second"
    assert len(fake.requests) == 1


async def test_nothing_new_is_shown_too_soon_after_a_key(launch: Launcher, fake: Emulator) -> None:
    editor = await opened(launch, fake, minShowDelayMs=600, debounceMs=0)
    asked_s = time.monotonic()
    assert text_of(await editor.inline(1, 11, automatic=True)) == "first + second"
    assert time.monotonic() - asked_s >= 0.5
    editor.type("f", 1, 11, 2)
    asked_s = time.monotonic()
    # It is on the screen: there it stays.
    assert text_of(await editor.inline(1, 12, automatic=True)) == "irst + second"
    assert time.monotonic() - asked_s < 0.5


@pytest.mark.parametrize(("event", "shown"), [("rejected", None), ("accepted", "first + second")])
async def test_what_the_person_never_takes_is_not_shown(
    launch: Launcher, fake: Emulator, event: str, shown: str | None
) -> None:
    stored = {"event": event, "shown_chars": 14, "lines": 1, "language": "python"}
    path = launch.folder / "state/history.jsonl"
    path.parent.mkdir()
    path.write_text((json.dumps(stored) + "\n") * 200)
    await fake.change(reply="first + second\n")
    completion = {"minAcceptProbability": 0.2}
    editor = await launch.stdio(
        settings={"backend": {"url": fake.url}, "completion": {"minConfidence": 0.8, **completion}}
    )
    editor.open(TEXT)
    # The first one makes it read the history, and is shown meanwhile.
    await editor.inline(1, 11, automatic=True)
    for version in range(2, 40):
        editor.type("\n    return ", 1, 11, version)
        answer = text_of(await editor.inline(2, 11, automatic=True))
        if answer == shown:
            return
    pytest.fail("the history changed nothing")
