"""Somebody types: what is asked of the backend, and what is not."""

from __future__ import annotations

import asyncio

from cato_lab.emulator import Emulator
from tests.contract.lsp.editor import Editor, text_of
from tests.contract.lsp.launching import Launcher

BEFORE, AFTER = "def add(a, b):\n    return ", "\n\n\nprint(add(1, 2))\n"


async def opened(
    launch: Launcher, fake: Emulator, reply: str, source: str = BEFORE + AFTER
) -> Editor:
    await fake.change(reply=reply)
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open(source)
    return editor


async def test_what_was_suggested_is_not_asked_for_again_while_it_is_typed(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await opened(launch, fake, "a + b\n\n\nprint(3)\n")
    shown = [text_of(await editor.inline(1, 11, automatic=True))]
    for version, key in enumerate("a + ", 2):
        editor.type(key, 1, 9 + version, version)
        shown.append(text_of(await editor.inline(1, 10 + version, automatic=True)))
    assert shown == ["a + b", " + b", "+ b", " b", "b"]
    assert len(fake.requests) == 1
    editor.type("c", 1, 15, 6)
    await editor.inline(1, 16, automatic=True)
    assert len(fake.requests) == 2


async def test_the_lines_below_stay_while_the_first_one_is_typed(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await opened(launch, fake, "\n    total = a + b\n    return total\n", "def add(a, b):")
    assert (
        text_of(await editor.inline(0, 14, automatic=True))
        == "\n    total = a + b\n    return total"
    )
    editor.type("\n    tot", 0, 14, 2)
    assert text_of(await editor.inline(1, 7, automatic=True)) == "al = a + b\n    return total"
    editor.type("al = a + b", 1, 7, 3)
    assert text_of(await editor.inline(1, 17, automatic=True)) == "\n    return total"
    assert len(fake.requests) == 1


async def test_an_edit_behind_the_cursor_makes_an_answer_stale(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await opened(launch, fake, "a + b\n")
    await editor.inline(1, 11, automatic=True)
    editor.type("x", 4, 0, 2)
    await editor.inline(1, 11, automatic=True)
    assert len(fake.requests) == 2


async def test_a_stream_that_is_typed_along_with_answers_the_next_request(
    launch: Launcher, fake: Emulator
) -> None:
    """As VS Code does it: a key takes the request back, and asks again."""
    await fake.change(ttft_ms=300)
    editor = await opened(launch, fake, "a + b\n")
    first = editor.inline(1, 11, automatic=True, message_id="first")
    await fake.wait_until(lambda state: len(state.requests) == 1)
    editor.type("a", 1, 11, 2)
    editor.cancel("first")
    second = editor.inline(1, 12, automatic=True)
    assert await first is None
    assert text_of(await second) == " + b"
    assert len(fake.requests) == 1
    assert not fake.aborted


async def test_a_stream_that_is_contradicted_ends_with_the_key(
    launch: Launcher, fake: Emulator
) -> None:
    await fake.change(itl_ms=60_000)
    editor = await opened(launch, fake, "a + b\n")
    answer = editor.inline(1, 11, automatic=True)
    await fake.wait_until(lambda state: state.generated_tokens >= 1)
    await editor.status()
    editor.type("c", 1, 11, 2)
    await fake.wait_until(lambda state: state.aborted == 1)
    assert await answer is None


async def test_lines_that_are_whole_are_shown_before_the_rest_has_come(
    launch: Launcher, fake: Emulator
) -> None:
    await fake.change(reply="for x in a:\n        b += x\n    c = 3\n    d = 4\n", itl_ms=30)
    editor = await launch.editor(settings={"backend": {"url": fake.url}})
    editor.open("class A:\n\n    a = 1\n    \n")
    first = text_of(await editor.inline(3, 4, automatic=True))
    assert first == "for x in a:"
    await fake.wait_until(lambda state: state.running == 0)
    again = text_of(await editor.inline(3, 4, automatic=True))
    assert again is not None
    assert again.startswith("for x in a:\n        b += x")
    assert len(fake.requests) == 1


async def test_the_end_of_a_line_fetches_the_next_one(launch: Launcher, fake: Emulator) -> None:
    editor = await opened(
        launch, fake, "\n    d = c * 2\n    e = 5\n", "def f(a):\n    c = a + 1\n"
    )
    assert await editor.inline(1, 13, automatic=True) is None
    await fake.wait_until(lambda state: state.running == 0)
    editor.type("\n    ", 1, 13, 2)
    assert text_of(await editor.inline(2, 4, automatic=True)) == "d = c * 2"
    assert len(fake.requests) == 1


async def test_a_cache_hit_does_not_wait(launch: Launcher, fake: Emulator) -> None:
    await fake.change(reply="a + b\n")
    completion = {"debounceMs": 2000, "adaptiveDebounce": False}
    editor = await launch.editor(settings={"backend": {"url": fake.url}, "completion": completion})
    editor.open(BEFORE + AFTER)
    await editor.inline(1, 11)
    editor.type("a", 1, 11, 2)
    async with asyncio.timeout(1):
        assert text_of(await editor.inline(1, 12, automatic=True)) == " + b"


async def test_at_the_end_of_a_comment_that_was_typed_along_nothing_is_asked(
    launch: Launcher, fake: Emulator
) -> None:
    editor = await opened(launch, fake, "adds them\n", "# This \n")
    assert text_of(await editor.inline(0, 7, automatic=True)) == "adds them"
    editor.type("adds them", 0, 7, 2)
    assert await editor.inline(0, 16, automatic=True) is None
    assert len(fake.requests) == 1
    # Who asks for more is not told that there is none.
    await editor.inline(0, 16)
    assert len(fake.requests) == 2
